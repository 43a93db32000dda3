"""The tables. `notification` is wide and written once; `delivery` is narrow and hot, and a row leaves it for `ended`
when nothing is left to do, so that the cost of a claim does not grow with history."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects import postgresql

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime: ``timestamptz`` on PostgreSQL, microseconds since 1970 on SQLite, which has no type for
    it and compares integers exactly and fast."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        return _EPOCH + timedelta(microseconds=value) if isinstance(value, int) else value


class HyphenatedUuid(Uuid[str]):
    """A UUID as text: ``uuid`` on PostgreSQL. SQLite keeps its 32 digits, and cutting them up takes a quarter of the
    time of parsing them."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if not dialect.supports_native_uuid:
            return _hyphenated
        return super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call]


def _hyphenated(digits: str | None) -> str | None:
    if digits is None:
        return None
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


Id = HyphenatedUuid(as_uuid=False)
Serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself for INTEGER alone

Json = JSON(none_as_null=True)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


notification = Table(
    "notification",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("mode", String(8), nullable=False),
    Column("template", String(128)),
    Column("version", Integer),
    Column("category", String(64)),  # the template's, asked against suppressions again at claim
    Column("locale", String(35)),
    Column("words", String(35)),  # the locale whose words the template had for it
    Column("timezone", String(64)),
    Column("data", Json),
    Column("content", Json),
    Column("sender", Json, nullable=False),
    Column("reply_to", Json),
    Column("headers", Json),
    Column("attachments", Json),
    Column("message_id", String(255), nullable=False),
    Column("reference", String(256)),
    Column("batch", Id),
    Column("tags", Json),
    Column("metadata", Json),
    Column("priority", String(8), nullable=False),
    Column("on_unknown", String(8), nullable=False),
    Column("send_at", Instant),
    Column("expires_at", Instant),
    Column("resend_of", Id),
    Column("created_at", Instant, nullable=False),
    Index("ix_notification_project_id", "project", "id"),
    _partial("ix_notification_reference", "project", "reference", "id", where="reference IS NOT NULL"),
    _partial("ix_notification_batch", "batch", "id", where="batch IS NOT NULL"),
    Index("ix_notification_template", "project", "template", "id"),
)  # fmt: skip


delivery = Table(
    "delivery",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(64), nullable=False),
    Column("priority", Integer, nullable=False),  # 0 high, 1 normal, 2 low: ascending is the order of lanes
    Column("state", String(8), nullable=False),  # queued, claimed, paused
    Column("due_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("give_up_at", Instant),  # set by the first attempt that counts
    Column("on_unknown", String(8), nullable=False),
    Column("owner", String(40)),
    Column("lease_until", Instant),
    Column("lease_no", Integer, nullable=False),  # never lowered: the fence of `finish`
    Column("attempts", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("transmitting", Boolean, nullable=False),
    Column("simulated", Boolean, nullable=False, server_default=false()),  # needs no relay
    # One index serves the claim: lanes are its first two columns, a lane's order the next two.
    _partial("ix_delivery_lane", "project", "priority", "due_at", "id", where="state = 'queued' AND crashes = 0"),
    _partial("ix_delivery_simulated", "due_at", "id", where="state = 'queued' AND crashes = 0 AND simulated"),
    _partial("ix_delivery_lease", "lease_until", where="state = 'claimed'"),
    _partial("ix_delivery_paused", "project", "id", where="state = 'paused'"),
    _partial("ix_delivery_suspect", "due_at", "id", where="state = 'queued' AND crashes > 0"),
    _partial("ix_delivery_expires_at", "expires_at", where="expires_at IS NOT NULL"),
)  # fmt: skip

ended = Table(
    "ended",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(64), nullable=False),
    Column("status", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_no", Integer, nullable=False),  # carried over, so that a retry never lowers it
    Column("at", Instant, nullable=False),
    Index("ix_ended_status", "project", "status", "id"),
)

recipient = Table(
    "recipient",
    metadata,
    Column("notification", Id, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("kind", String(3), nullable=False),
    Column("email", String(320), nullable=False),
    Column("name", String(256), nullable=False),
    Column("status", String(12), nullable=False),
    Column("reply", Text),
    Column("address_key", String(320), nullable=False),  # lower case, A-labels: what searches and suppressions compare
    Index("ix_recipient_address_key", "address_key", "notification"),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("notification", Id, nullable=False),
    Column("project", String(64), nullable=False),
    Column("type", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("recipient", String(320)),
    Column("detail", Json, nullable=False),
    # PostgreSQL: the transaction's id; the feed is read in its order and waits for those still open. SQLite: 0, for
    # there is one writer, and the order of `seq` is that of commits.
    Column("tx", BigInteger, nullable=False, server_default=text("0")),
    Index("ix_event_notification_seq", "notification", "seq"),
    Index("ix_event_project_tx_seq", "project", "tx", "seq"),
)

attachment = Table(
    "attachment",
    metadata,
    Column("hash", String(64), primary_key=True),  # SHA-256 of the content, hex
    Column("content", LargeBinary, nullable=False),
)

tag = Table(
    "tag",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("tag", String(128), primary_key=True),
    Column("notification", Id, primary_key=True),
    sqlite_with_rowid=False,
)

batch = Table(
    "batch",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(64), nullable=False),
    Column("notifications", Json, nullable=False),  # ids in the order of the request (null: that item was refused)
    Column("created_at", Instant, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("key", String(256), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # HMAC-SHA-256 of the request, hex
    Column("notification", Id),
    Column("batch", Id),
    Column("created_at", Instant, nullable=False),
    Index("ix_idempotency_created_at", "created_at"),
    sqlite_with_rowid=False,
)

pause = Table(
    "pause",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("scope", String(160), primary_key=True),  # all, template:NAME, batch:ID
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
)

template = Table(
    "template",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("description", Text, nullable=False),
    Column("published", Integer),  # the number of the published version
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
)

template_version = Table(
    "template_version",
    metadata,
    Column("template", String(128), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("origin", String(16), nullable=False),  # folder, api, pages
    Column("author", String(128)),
    Column("note", Text),
    Column("bundle", Text, nullable=False),  # the closure as JSON; assets by content hash
    Column("created_at", Instant, nullable=False),
    Column("published_at", Instant),
    UniqueConstraint("template", "hash"),
)

asset = Table(
    "asset",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

project = Table(
    "project",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("secret", String(64), nullable=False),  # keys the HMAC of idempotency fingerprints, hex
    Column("created_at", Instant, nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("prefix", String(24), nullable=False),  # looked up by it
    Column("hash", String(64), nullable=False),  # SHA-256 of the whole key, hex
    Column("mode", String(8), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("rate_limit", Integer),  # requests per minute
    Column("from_domains", Json),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    UniqueConstraint("prefix"),
)

suppression = Table(
    "suppression",
    metadata,
    Column("address_key", String(320), primary_key=True),
    Column("scope", String(64), primary_key=True),  # all, or a category
    Column("email", String(320), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("source", Text),
    Column("created_at", Instant, nullable=False),
)

webhook = Table(
    "webhook",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("types", Json, nullable=False),
    Column("templates", Json, nullable=False),
    Column("secrets", Json, nullable=False),
    Column("disabled_at", Instant),
    Column("disabled_reason", Text),
    Column("failing_since", Instant),
    Column("created_at", Instant, nullable=False),
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", Id, primary_key=True),
    Column("webhook", Id, nullable=False),
    Column("event", Serial, nullable=False),
    Column("state", String(8), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("owner", String(40)),
    Column("lease_until", Instant),
    Column("lease_no", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("answer_status", Integer),
    Column("answer", Text),
    Column("created_at", Instant, nullable=False),
    _partial("ix_webhook_delivery_queue", "webhook", "due_at", "id", where="state = 'queued'"),
    _partial("ix_webhook_delivery_lease", "lease_until", where="state = 'claimed'"),
    _partial("ix_webhook_delivery_failed", "webhook", "id", where="state = 'failed'"),
    Index("ix_webhook_delivery_webhook_id", "webhook", "id"),
)

admin_user = Table(
    "admin_user",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", String(320), nullable=False, unique=True),
    Column("password", Text),  # argon2id
    Column("role", String(8), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)

session = Table(
    "session",
    metadata,
    Column("hash", String(64), primary_key=True),  # SHA-256 of the cookie, hex
    Column("user", Id, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(320), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Json, nullable=False),
)
