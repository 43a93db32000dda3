"""What an endpoint was not told is found among all that it was.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    where = sa.text("state = 'failed'")
    name = "ix_webhook_delivery_failed"
    op.create_index(name, "webhook_delivery", ["webhook", "id"], postgresql_where=where, sqlite_where=where)
