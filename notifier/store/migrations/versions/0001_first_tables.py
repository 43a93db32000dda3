"""The first tables.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

from notifier.store.tables import Instant

revision = "0001"
down_revision = None

Id = sa.Uuid(as_uuid=False)
Json = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "admin_user",
        sa.Column("id", Id, nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_admin_user"),
        sa.UniqueConstraint("email", name="uq_admin_user_email"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", Id, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("prefix", sa.String(length=24), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("rate_limit", sa.Integer(), nullable=True),
        sa.Column("from_domains", Json, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("prefix", name="uq_api_key_prefix"),
    )
    op.create_table(
        "asset",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_asset"),
    )
    op.create_table(
        "attachment",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_attachment"),
    )
    op.create_table(
        "audit",
        sa.Column("id", Id, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_table(
        "batch",
        sa.Column("id", Id, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("notifications", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batch"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", Id, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("give_up_at", Instant(), nullable=True),
        sa.Column("on_unknown", sa.String(length=8), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("lease_no", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("transmitting", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    op.create_index(
        "ix_delivery_expires_at",
        "delivery",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
        sqlite_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_delivery_lane",
        "delivery",
        ["project", "priority", "due_at", "id"],
        postgresql_where=sa.text("state = 'queued' AND crashes = 0"),
        sqlite_where=sa.text("state = 'queued' AND crashes = 0"),
    )
    op.create_index(
        "ix_delivery_lease",
        "delivery",
        ["lease_until"],
        postgresql_where=sa.text("state = 'claimed'"),
        sqlite_where=sa.text("state = 'claimed'"),
    )
    op.create_index(
        "ix_delivery_paused",
        "delivery",
        ["project", "id"],
        postgresql_where=sa.text("state = 'paused'"),
        sqlite_where=sa.text("state = 'paused'"),
    )
    op.create_index(
        "ix_delivery_suspect",
        "delivery",
        ["due_at", "id"],
        postgresql_where=sa.text("state = 'queued' AND crashes > 0"),
        sqlite_where=sa.text("state = 'queued' AND crashes > 0"),
    )
    op.create_table(
        "ended",
        sa.Column("id", Id, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_no", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ended"),
    )
    op.create_index("ix_ended_status", "ended", ["project", "status", "id"])
    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notification", Id, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.Column("tx", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("seq", name="pk_event"),
    )
    op.create_index("ix_event_notification_seq", "event", ["notification", "seq"])
    op.create_index("ix_event_project_tx_seq", "event", ["project", "tx", "seq"])
    op.create_table(
        "idempotency",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("notification", Id, nullable=True),
        sa.Column("batch", Id, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", name="pk_idempotency"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
    op.create_table(
        "notification",
        sa.Column("id", Id, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("template", sa.String(length=128), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("category", sa.String(length=64), nullable=True),
        sa.Column("locale", sa.String(length=35), nullable=True),
        sa.Column("words", sa.String(length=35), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("data", Json, nullable=True),
        sa.Column("content", Json, nullable=True),
        sa.Column("sender", Json, nullable=False),
        sa.Column("reply_to", Json, nullable=True),
        sa.Column("headers", Json, nullable=True),
        sa.Column("attachments", Json, nullable=True),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("reference", sa.String(length=256), nullable=True),
        sa.Column("batch", Id, nullable=True),
        sa.Column("tags", Json, nullable=True),
        sa.Column("metadata", Json, nullable=True),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("on_unknown", sa.String(length=8), nullable=False),
        sa.Column("send_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("resend_of", Id, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
    )
    op.create_index(
        "ix_notification_batch",
        "notification",
        ["batch", "id"],
        postgresql_where=sa.text("batch IS NOT NULL"),
        sqlite_where=sa.text("batch IS NOT NULL"),
    )
    op.create_index("ix_notification_project_id", "notification", ["project", "id"])
    op.create_index(
        "ix_notification_reference",
        "notification",
        ["project", "reference", "id"],
        postgresql_where=sa.text("reference IS NOT NULL"),
        sqlite_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index("ix_notification_template", "notification", ["project", "template", "id"])
    op.create_table(
        "pause",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=160), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("project", "scope", name="pk_pause"),
    )
    op.create_table(
        "project",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_project"),
    )
    op.create_table(
        "recipient",
        sa.Column("notification", Id, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=3), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.PrimaryKeyConstraint("notification", "n", name="pk_recipient"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_recipient_address_key", "recipient", ["address_key", "notification"])
    op.create_table(
        "session",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("user", Id, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_session"),
    )
    op.create_table(
        "suppression",
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("address_key", "scope", name="pk_suppression"),
    )
    op.create_table(
        "tag",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("notification", Id, nullable=False),
        sa.PrimaryKeyConstraint("project", "tag", "notification", name="pk_tag"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "template",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_template"),
    )
    op.create_table(
        "template_version",
        sa.Column("template", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("author", sa.String(length=128), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("published_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("template", "number", name="pk_template_version"),
        sa.UniqueConstraint("template", "hash", name="uq_template_version_template_hash"),
    )
    op.create_table(
        "webhook",
        sa.Column("id", Id, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", Json, nullable=False),
        sa.Column("templates", Json, nullable=False),
        sa.Column("secrets", Json, nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", Id, nullable=False),
        sa.Column("webhook", Id, nullable=False),
        sa.Column("event", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("lease_no", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("answer_status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_delivery"),
    )
    op.create_index(
        "ix_webhook_delivery_due_at",
        "webhook_delivery",
        ["due_at"],
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_webhook_delivery_webhook_id", "webhook_delivery", ["webhook", "id"])

    if op.get_bind().dialect.name == "postgresql":
        # The hot table: vacuumed early and often, and pages left room for updates in place.
        op.execute(
            "ALTER TABLE delivery SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, "
            "autovacuum_vacuum_threshold = 500, autovacuum_analyze_scale_factor = 0.02, "
            "autovacuum_vacuum_cost_delay = 0)"
        )
        # The events feed leaves out rows of transactions that are newer than the oldest still open.
        op.execute("ALTER TABLE event ALTER COLUMN tx SET DEFAULT (pg_current_xact_id()::text::bigint)")
