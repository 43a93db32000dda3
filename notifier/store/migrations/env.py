"""Alembic's environment: it runs on the connection that `store/schema.py` hands over, never on one of its own."""

from alembic import context

from notifier.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=False)
context.run_migrations()
