"""Every setting, read once: the environment, then `.env`, with `*_FILE` for secrets. Frozen; passed down, never asked
for again. `.env.example` lists the same, and a test compares the two."""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from notifier.domain.errors import ConfigurationError
from notifier.mail.address import AddressError, check_email, check_name, parse_address

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)\s*(?:([KMG])(?:i?B)?|B)?", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[?[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]?")
_BYTES = {"K": 1024, "M": 1024**2, "G": 1024**3}


def seconds(value: object) -> object:
    """``250ms``, ``30``, ``30s``, ``5m``, ``2h`` and ``3d`` as seconds."""
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if not found:
        raise ValueError(f"{value!r} is not a duration; write 250ms, 30, 30s, 5m, 2h or 3d")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def _octets(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if not found:
        raise ValueError(f"{value!r} is not a size; write 1048576, 512K or 16MiB")
    return int(found[1]) * _BYTES.get((found[2] or "").upper(), 1)


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _address(value: object) -> object:
    if isinstance(value, str) and value:
        try:
            return check_email(value.strip())
        except AddressError as error:
            raise ValueError(f"{value!r} is not an address: {error.reason}") from None
    return value or None


Duration = Annotated[float, BeforeValidator(seconds)]
Octets = Annotated[int, BeforeValidator(_octets)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Email = Annotated[str | None, BeforeValidator(_address)]


class Settings(BaseSettings):
    """What one process runs with. Times are seconds, sizes bytes."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True
    )

    database_url: str = Field("sqlite:///notifier.db", alias="NOTIFIER_DATABASE_URL")
    templates_dir: Path = Field(Path("templates"), alias="NOTIFIER_TEMPLATES_DIR")
    templates_source: Literal["store", "folder"] = Field("store", alias="NOTIFIER_TEMPLATES_SOURCE")
    api_key: SecretStr | None = Field(None, alias="NOTIFIER_API_KEY")
    admin_password: SecretStr | None = Field(None, alias="NOTIFIER_ADMIN_PASSWORD")
    admin_publishers: Literal["editor", "admin"] = Field("editor", alias="NOTIFIER_ADMIN_PUBLISHERS")
    public_url: str | None = Field(None, alias="NOTIFIER_PUBLIC_URL")

    mail_server: str | None = Field(None, alias="MAIL_SERVER")
    mail_port: int = Field(587, alias="MAIL_PORT", ge=1, le=65535)
    mail_username: str | None = Field(None, alias="MAIL_USERNAME")
    mail_password: SecretStr | None = Field(None, alias="MAIL_PASSWORD")
    mail_from: Annotated[str, BeforeValidator(_address)] = Field("notifier@localhost", alias="MAIL_FROM")
    mail_from_name: str = Field("", alias="MAIL_FROM_NAME")
    mail_starttls: bool = Field(False, alias="MAIL_STARTTLS")
    mail_ssl_tls: bool = Field(False, alias="MAIL_SSL_TLS")
    use_credentials: bool | None = Field(None, alias="USE_CREDENTIALS")
    validate_certs: bool = Field(True, alias="VALIDATE_CERTS")
    suppress_send: bool = Field(False, alias="SUPPRESS_SEND")

    relay_connections: int = Field(20, alias="NOTIFIER_RELAY_CONNECTIONS", ge=1, le=1000)
    relay_messages_per_connection: int = Field(100, alias="NOTIFIER_RELAY_MESSAGES_PER_CONNECTION", ge=1)
    relay_rate: float | None = Field(None, alias="NOTIFIER_RELAY_RATE", gt=0)
    relay_timeout: Duration = Field(60.0, alias="NOTIFIER_RELAY_TIMEOUT", gt=0)
    relay_pipelining: bool = Field(True, alias="NOTIFIER_RELAY_PIPELINING")
    relay_allow_plaintext_auth: bool = Field(False, alias="NOTIFIER_RELAY_ALLOW_PLAINTEXT_AUTH")

    retry_first: Duration = Field(30.0, alias="NOTIFIER_RETRY_FIRST", gt=0)
    retry_max: Duration = Field(3600.0, alias="NOTIFIER_RETRY_MAX", gt=0)
    give_up_after: Duration = Field(72 * 3600.0, alias="NOTIFIER_GIVE_UP_AFTER", gt=0)
    lease: Duration = Field(60.0, alias="NOTIFIER_LEASE", ge=1)
    shutdown_grace: Duration = Field(25.0, alias="NOTIFIER_SHUTDOWN_GRACE", ge=0)

    dkim_keys: Words = Field((), alias="NOTIFIER_DKIM_KEYS")
    bounce_address: Email = Field(None, alias="NOTIFIER_BOUNCE_ADDRESS")
    ses_topics: Words = Field((), alias="NOTIFIER_SES_TOPICS")
    mailgun_signing_key: SecretStr | None = Field(None, alias="NOTIFIER_MAILGUN_SIGNING_KEY")
    postmark_password: SecretStr | None = Field(None, alias="NOTIFIER_POSTMARK_PASSWORD")
    webhooks_allow_http: bool = Field(False, alias="NOTIFIER_WEBHOOKS_ALLOW_HTTP")
    webhooks_allow_networks: Words = Field((), alias="NOTIFIER_WEBHOOKS_ALLOW_NETWORKS")
    webhooks_connections: int = Field(10, alias="NOTIFIER_WEBHOOKS_CONNECTIONS", ge=1, le=200)
    webhooks_keep: Duration = Field(30 * 86400.0, alias="NOTIFIER_WEBHOOKS_KEEP", ge=4 * 86400.0)
    bounce_host: str = Field("127.0.0.1", alias="NOTIFIER_BOUNCE_HOST")
    bounce_port: int | None = Field(None, alias="NOTIFIER_BOUNCE_PORT", ge=0, le=65535)

    redirect_all_to: Email = Field(None, alias="NOTIFIER_REDIRECT_ALL_TO")
    team_addresses: Words = Field((), alias="NOTIFIER_TEAM_ADDRESSES")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", alias="NOTIFIER_LOG_LEVEL")
    log_format: Literal["auto", "json", "text"] = Field("auto", alias="NOTIFIER_LOG_FORMAT")
    max_body: Octets = Field(16 * 1024**2, alias="NOTIFIER_MAX_BODY", ge=1024)
    max_data: Octets = Field(256 * 1024, alias="NOTIFIER_MAX_DATA", ge=1024)
    max_attachments: Octets = Field(10 * 1024**2, alias="NOTIFIER_MAX_ATTACHMENTS", ge=0)
    max_backlog: int = Field(1_000_000, alias="NOTIFIER_MAX_BACKLOG", ge=1)
    idempotency_ttl: Duration = Field(7 * 86400.0, alias="NOTIFIER_IDEMPOTENCY_TTL", gt=0)

    @field_validator("log_level", "log_format", "templates_source", "admin_publishers", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("mail_from_name")
    @classmethod
    def _sendable(cls, value: str) -> str:
        try:
            return check_name(value)
        except AddressError as error:
            raise ValueError(error.reason) from None

    @field_validator("mail_server")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        if value is not None and not _HOST.fullmatch(value):
            raise ValueError(f"{value!r} is no host: a name such as smtp.example.com, or an address; no scheme or port")
        return value

    @field_validator("api_key")
    @classmethod
    def _bearer(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch("[!-~]+", value.get_secret_value()):
            raise ValueError("a key is printable ASCII without spaces: it travels in a header")
        return value

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is not an absolute http(s) URL")
        return value.rstrip("/")

    @field_validator("team_addresses")
    @classmethod
    def _addresses_or_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            try:
                parse_address(word if "@" in word.lstrip("@") else f"postmaster@{word.lstrip('@')}")
            except AddressError as error:
                raise ValueError(f"{word!r} is neither an address nor a domain: {error.reason}") from None
        return value

    @field_validator("webhooks_allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            ipaddress.ip_network(word)
        return value

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        if self.mail_starttls and self.mail_ssl_tls:
            raise ValueError("MAIL_STARTTLS and MAIL_SSL_TLS exclude each other: the first upgrades a plain connection")
        if self.with_credentials and not (self.mail_username and self.mail_password):
            raise ValueError("USE_CREDENTIALS needs MAIL_USERNAME and MAIL_PASSWORD")
        if self.bounce_port is not None and self.bounce_address is None:
            raise ValueError("NOTIFIER_BOUNCE_PORT needs NOTIFIER_BOUNCE_ADDRESS: bounces come to addresses under it")
        if self.retry_max < self.retry_first:
            raise ValueError("NOTIFIER_RETRY_MAX is shorter than NOTIFIER_RETRY_FIRST")
        return self

    @property
    def with_credentials(self) -> bool:
        """USE_CREDENTIALS, or where it is not set: whether a user name is."""
        return bool(self.mail_username) if self.use_credentials is None else self.use_credentials

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a folder of secrets; ours are *_FILE
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Files(settings_cls), env_settings, dotenv_settings


class _Files(PydanticBaseSettingsSource):
    """``NAME_FILE`` in the environment: the setting NAME is what that file holds, less the line end."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        name = str(field.alias)
        path = os.environ.get(f"{name}_FILE")
        if not path:
            return None, name, False
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n"), name, False
        except OSError as error:
            raise ConfigurationError(f"{name}_FILE: {path} cannot be read: {error.strerror}") from None

    def __call__(self) -> dict[str, Any]:
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, name)
            if value is not None:
                found[key] = value
        return found


def read_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this process. `overrides` are by environment name and win.

    Raises ConfigurationError: one sentence that names the setting.
    """
    try:
        return Settings(**(overrides or {}))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) + ": " if first["loc"] else ""
        reason = str(first["msg"]).removeprefix("Value error, ")
        shown = isinstance(first["input"], str) and first["loc"] and first["loc"][0] not in _secrets()
        given = f" (it is {first['input']!r})" if shown else ""
        raise ConfigurationError(f"{name}{reason}{given}") from None


def _secrets() -> set[str]:
    """The settings whose value nobody is to read in a log."""
    fields = Settings.model_fields.values()
    return {str(field.alias) for field in fields if SecretStr in get_args(field.annotation)}
