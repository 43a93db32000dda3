"""Webhooks: why one was disabled, and an index for the queue of each endpoint.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("webhook", sa.Column("disabled_reason", sa.Text(), nullable=True))
    op.drop_index("ix_webhook_delivery_due_at", "webhook_delivery")
    for name, columns, state in (
        ("ix_webhook_delivery_queue", ["webhook", "due_at", "id"], "queued"),
        ("ix_webhook_delivery_lease", ["lease_until"], "claimed"),
    ):
        where = sa.text(f"state = '{state}'")
        op.create_index(name, "webhook_delivery", columns, postgresql_where=where, sqlite_where=where)
