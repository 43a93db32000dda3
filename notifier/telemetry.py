"""The log and the metrics: one line an attempt, none for a quiet poll; what a number means stands beside it."""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic_core import to_json

from notifier.delivery.record import outcome_detail
from notifier.domain.delivery import Claimed, Finish
from notifier.domain.feedback import Feedback
from notifier.domain.lifecycle import RelayTrouble, SendResult
from notifier.domain.template import Synced
from notifier.domain.times import rfc3339
from notifier.domain.webhook import Answer, Told, WebhookState

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def _json_line(event: Any, default: Callable[[Any], Any]) -> str:
    return to_json(event, fallback=default).decode()


def configure_logging(level: str, format_: Literal["auto", "json", "text"]) -> None:
    """structlog to standard error: JSON lines unless it is a terminal. Once a process, before anything else."""
    seen = sys.stderr.isatty()
    as_json = format_ == "json" or (format_ == "auto" and not seen)
    text = structlog.dev.ConsoleRenderer(colors=seen)  # colours in a file are litter
    renderer: Any = structlog.processors.JSONRenderer(_json_line) if as_json else text
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=number, handlers=[handler], force=True)
    for chatty in ("uvicorn.access", "mail.log", "alembic", "aiosmtplib", "watchfiles"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class Telemetry:
    """Hears of everything that happens, and tells the log and Prometheus."""

    def __init__(self) -> None:
        self.log = structlog.get_logger()
        self.registry = CollectorRegistry()
        r = self.registry
        self._accepted = Counter("notifier_accepted", "Notifications accepted.", registry=r)
        self._attempts = Counter(
            "notifier_attempts", "Attempts by what they came to and at which stage.", ["outcome", "stage"], registry=r
        )
        self._trouble = Counter("notifier_relay_trouble", "Times the relay could not be used.", ["kind"], registry=r)
        self._open = Gauge("notifier_relay_connections", "Connections to the relay.", registry=r)
        self._breaker = Gauge("notifier_relay_breaker", "0 closed, 1 half open, 2 open.", registry=r)
        self._configuration = Gauge(
            "notifier_relay_configuration_error", "1 while only a person can mend the relay's settings.", registry=r
        )
        self._seconds = Histogram(
            "notifier_attempt_seconds",
            "An attempt from claim to commit, with the wait for its turn.",
            buckets=_FAST,
            registry=r,
        )
        self._render = Histogram("notifier_render_seconds", "Rendering one mail.", buckets=_FAST, registry=r)
        self._claim_size = Histogram("notifier_claim_size", "Rows a claim brought.", buckets=_SIZES, registry=r)
        self._claim_seconds = Histogram("notifier_claim_seconds", "A claim.", buckets=_FAST, registry=r)
        self._commit_size = Histogram(
            "notifier_commit_size", "How many shared a commit.", ["kind"], buckets=_SIZES, registry=r
        )
        self._commit_seconds = Histogram(
            "notifier_commit_seconds", "A commit, on disk.", ["kind"], buckets=_FAST, registry=r
        )
        self._lost = Counter("notifier_leases_lost", "Leases that ended while their message was sent.", registry=r)
        self._chores = Counter("notifier_chores", "Rows the janitor dealt with.", ["name"], registry=r)
        self._reports = Counter(
            "notifier_reports", "Bounces and complaints that came in, by what became of them.", ["result"], registry=r
        )
        self._heard = Counter(
            "notifier_feedback",
            "What was heard of mail after it was sent: by whom, and whether it changed anything.",
            ["source", "said", "result"],
            registry=r,
        )
        self._suppressed = Counter(
            "notifier_suppressions", "Suppressions that people added, by hand and by import.", ["by"], registry=r
        )
        self._told = Counter("notifier_webhooks", "Webhook requests by what they came to.", ["result"], registry=r)
        self._store_errors = Counter("notifier_store_unavailable", "Times the database was away.", registry=r)

    def page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def watch(self, in_flight: Callable[[], int]) -> None:
        Gauge("notifier_in_flight", "Notifications under a lease here.", registry=self.registry).set_function(in_flight)

    def watch_backlog(self, backlog: Callable[[], Mapping[tuple[str, str], tuple[int, float]]]) -> None:
        """`backlog` gives (rows, seconds the oldest has been due) by (project, priority)."""
        self.registry.register(_BacklogCollector(backlog))

    def watch_webhooks(self, state: Callable[[], WebhookState]) -> None:
        lag = Gauge(
            "notifier_webhook_lag_seconds",
            "How long the oldest event has been due.",
            registry=self.registry,
        )
        lag.set_function(lambda: state().lag)
        disabled = Gauge(
            "notifier_webhook_endpoints_disabled", "Endpoints that are told nothing.", registry=self.registry
        )
        disabled.set_function(lambda: state().disabled)

    # ---- the store's groups

    def committed(self, kind: str, size: int, seconds: float) -> None:
        self._commit_size.labels(kind).observe(size)
        self._commit_seconds.labels(kind).observe(seconds)

    # ---- delivery

    def accepted(self, count: int) -> None:
        self._accepted.inc(count)

    def claimed(self, count: int, seconds: float) -> None:
        if count:
            self._claim_size.observe(count)
            self._claim_seconds.observe(seconds)

    def composed(self, seconds: float) -> None:
        self._render.observe(seconds)

    def attempted(self, claimed: Claimed, result: SendResult, finish: Finish | None, seconds: float) -> None:
        one = claimed.notification
        self._seconds.observe(seconds)
        if isinstance(result, RelayTrouble):
            self.log.debug("handed back", notification=one.id, reason=str(result))
            return
        for outcome in result.outcomes.values():
            told = outcome_detail(outcome)
            self._attempts.labels(told["class"], told["stage"]).inc()
            self.log.info(
                "attempt",
                notification=one.id,
                attempt=finish.attempts if finish else claimed.attempts,
                relay=result.relay,
                **told,
                status=finish.final or "deferred" if finish else None,
                next_attempt_at=rfc3339(finish.due_at) if finish and finish.due_at else None,
                seconds=round(seconds, 4),
            )

    def lost(self, claimed: Claimed, what: str) -> None:
        self._lost.inc()
        self.log.warning("lease lost", notification=claimed.notification.id, reason=what)

    def crashed(self, what: str, error: Exception) -> None:
        self.log.error("crashed", what=what, exc_info=error)

    def storeless(self, what: str, error: Exception) -> None:
        self._store_errors.inc()
        self.log.error("database unavailable", what=what, error=str(error))

    def chore(self, name: str, count: int) -> None:
        self._chores.labels(name).inc(count)
        self.log.info(name, count=count)

    # ---- templates

    def synced(self, synced: Synced) -> None:
        """A templates folder was read."""
        for name in synced.published:
            self.log.info("template published", template=name, source="folder")
        for name, why in synced.drafted.items():
            self.log.warning("template kept as a draft", template=name, reasons=list(why))
        for name, faults in synced.broken.items():
            said = [f"{fault.field}: {fault.message}" for fault in faults]
            self.log.error("template broken", template=name, faults=said)
        for name in synced.withdrawn:
            self.log.warning("template withdrawn", template=name, reason="it is not in the folder, the only source")

    # ---- what comes back

    def told(self, told: Told, answer: Answer) -> None:
        result = "taken" if answer.taken else "refused" if answer.status is not None else "unreachable"
        self._told.labels(result).inc()
        log = self.log.debug if answer.taken else self.log.warning
        log(
            "webhook",
            webhook=told.webhook.id,
            event_type=told.event.type,
            attempt=told.attempts + 1,
            result=result,
            status=answer.status,
        )

    def heard(self, one: Feedback, changed: bool) -> None:
        self._heard.labels(one.source, one.said, "changed" if changed else "ignored").inc()

    def suppressed(self, by: str, count: int) -> None:
        self._suppressed.labels(by).inc(count)

    def reported(self, result: str) -> None:
        self._reports.labels(result).inc()
        self.log.info("report", result=result)

    # ---- the relay

    def connection_opened(self) -> None:
        self._open.inc()

    def connection_closed(self, reason: str) -> None:
        self._open.dec()
        self.log.debug("relay connection closed", reason=reason)

    def breaker_changed(self, state: str, trouble: RelayTrouble | None) -> None:
        self._breaker.set({"closed": 0, "half_open": 1, "open": 2}[state])
        self._configuration.set(1 if trouble and trouble.configuration else 0)
        if state == "closed":
            self.log.info("relay in use")

    def trouble(self, trouble: RelayTrouble) -> None:
        self._trouble.labels(trouble.kind).inc()
        log = self.log.error if trouble.configuration else self.log.warning
        log("relay trouble", kind=trouble.kind, stage=trouble.stage.value, error=str(trouble), queue="waits")


class _BacklogCollector(Collector):
    def __init__(self, backlog: Callable[[], Mapping[tuple[str, str], tuple[int, float]]]) -> None:
        self._backlog = backlog

    def collect(self) -> Iterable[Metric]:
        rows = GaugeMetricFamily(
            "notifier_backlog", "Notifications waiting, by lane, counted up to 10000.", labels=["project", "priority"]
        )
        age = GaugeMetricFamily(
            "notifier_backlog_age_seconds", "How long the oldest has been due.", labels=["project", "priority"]
        )
        for lane, (count, seconds) in self._backlog().items():
            rows.add_metric(lane, count)
            age.add_metric(lane, seconds)
        return [rows, age]
