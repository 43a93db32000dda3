"""Deliveries that need no relay, and an index for them: they go on while the relay is away.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("delivery", sa.Column("simulated", sa.Boolean(), nullable=False, server_default=sa.false()))
    where = sa.text("state = 'queued' AND crashes = 0 AND simulated")
    op.create_index("ix_delivery_simulated", "delivery", ["due_at", "id"], postgresql_where=where, sqlite_where=where)
