"""What a relay is told at its start."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The SMTP server that we submit to, and how hard we may press it. Times are seconds.

    `starttls` and `ssl_tls` both demand TLS; neither falls back to clear text. With credentials and neither, nothing
    is sent unless `allow_plaintext_auth` says so. `timeout` bounds each phase (connect, one reply, one upload plus its
    size), `dot_timeout` the wait for the reply to the final dot (RFC 5321 4.5.3.2.6 asks for 600).
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    starttls: bool = False
    ssl_tls: bool = False
    use_credentials: bool = False
    validate_certs: bool = True
    allow_plaintext_auth: bool = False
    local_hostname: str | None = None
    connections: int = 20
    messages_per_connection: int = 100
    rate: float | None = None  # messages per second
    timeout: float = 60.0
    dot_timeout: float = 600.0
    idle_close: float = 15.0
    quit_timeout: float = 1.0  # for RSET and QUIT, whose answers change nothing
    probe_first: float = 1.0
    probe_longest: float = 60.0
    pipelining: bool = True

    def __post_init__(self) -> None:
        if self.starttls and self.ssl_tls:
            raise ValueError("MAIL_STARTTLS and MAIL_SSL_TLS exclude each other: the first upgrades a plain connection")
        if self.use_credentials and not (self.username and self.password):
            raise ValueError("USE_CREDENTIALS needs MAIL_USERNAME and MAIL_PASSWORD")
        if self.connections < 1 or self.messages_per_connection < 1:
            raise ValueError("a relay needs at least one connection, and each at least one message")
        if self.rate is not None and self.rate <= 0:
            raise ValueError("NOTIFIER_RELAY_RATE is messages per second, above 0")

    @property
    def name(self) -> str:
        """`host:port`, as timelines and metrics name it."""
        return f"{self.host}:{self.port}"
