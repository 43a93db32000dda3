"""From figures to a table, the verdict on each target, and a plot."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Figures

README = Path(__file__).parent / "README.md"
PLOT = Path(__file__).parent / "delivery.svg"
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"

Rounds = Mapping[str, Sequence[Figures]]
"""By contender (or `limits`, `deep`), a dictionary of figures for each round."""


def medians(rounds: Sequence[Figures]) -> Figures:
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: statistics.median(one[name] for one in rounds if name in one) for name in names}


_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("POST/s", "accept.rate", "{:,.0f}"),
    ("p50 ms", "accept.p50_ms", "{:.1f}"),
    ("p99 ms", "accept.p99_ms", "{:.1f}"),
    ("in batches of 100, each/s", "batch.rate", "{:,.0f}"),
    ("delivered/s", "delivery.rate", "{:,.0f}"),
    ("CPU µs each", "delivery.cpu", "{:,.0f}"),
    ("posted and delivered/s", "together.rate", "{:,.0f}"),
    ("CPU µs each", "together.cpu", "{:,.0f}"),
    ("POST to final dot p50 ms", "idle.p50_ms", "{:.1f}"),
    ("p99 ms", "idle.p99_ms", "{:.1f}"),
    ("peak MiB", "together.memory", "{:,.0f}"),
)


def table(found: Mapping[str, Figures]) -> str:
    """Contenders in rows."""
    lines = ["| | " + " | ".join(title for title, _, _ in _COLUMNS) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for name, figures in found.items():
        cells = [form.format(figures[key]) if key in figures else "" for _, key, form in _COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def processes(found: Mapping[str, Figures]) -> str:
    """CPU of every process, by what was measured."""
    lines = ["| | process | microseconds of CPU a message |", "|---|---|---|"]
    for name, figures in found.items():
        for key, value in figures.items():
            what, found_cpu, process = key.partition(".cpu.")
            if found_cpu:
                lines.append(f"| {name} | {process}, {what} | {value:,.0f} |")
    return "\n".join(lines)


def delivery_rate(figures: Figures) -> float | None:
    """Off a backlog; with everything at once where there is no queue that a backlog could stand in."""
    return figures.get("delivery.rate", figures.get("together.rate"))


def cpu_of_delivery(figures: Figures) -> float | None:
    """Microseconds a message, of the contender's own processes."""
    return figures.get("delivery.cpu", figures.get("together.cpu"))


def targets(found: Mapping[str, Figures], limits: Figures, deep: Figures, fdatasync_p99: float) -> list[str]:
    """Each target with what was measured, and whether it is met."""
    ours = next(iter(found.values()))
    lines = []

    def ratio(
        what: str, a: float | None, b: float | None, least: float, aim: float | None = None, work: str = ""
    ) -> None:
        if a is None or not b:
            lines.append(f"| {what} | at least {least:g} | not measured | | |")
            return
        wanted = f"at least {least:g}" + (f", aim {aim:g}" if aim else "")
        met = _verdict(a / b >= least, aim is None or a / b >= aim)
        lines.append(f"| {what} | {wanted} | {a / b:.2f} | {work} | {met} |")

    def versus(what: str, part: str, least: float, aim: float | None = None) -> None:
        figures = next((figures for name, figures in found.items() if part in name), {})
        theirs, own = cpu_of_delivery(figures), cpu_of_delivery(ours)
        work = f"{theirs / own:.2f}" if theirs and own else ""
        ratio(f"delivery: {what}, times", delivery_rate(ours), delivery_rate(figures), least, aim, work)

    def most(what: str, value: float | None, limit: float, unit: str) -> None:
        told = "not measured" if value is None else f"{value:.2f} {unit}"
        lines.append(
            f"| {what} | at most {limit:.4g} {unit} | {told} | | {_verdict(value is not None and value <= limit)} |"
        )

    rate = ours.get("delivery.rate")
    versus("BackgroundTasks + fastapi-mail", "BackgroundTasks", 12, 20)
    versus("Celery", "Celery", 8)
    versus("BullMQ + nodemailer", "BullMQ", 3, 4)
    ratio("delivery: share of the pipelined replay", rate, limits.get("replay.rate"), 0.12, 0.20)
    no_store = next((figures for name, figures in found.items() if "no store" in name), {})
    ratio(
        "durable POST: share of the same endpoint without a store",
        ours.get("accept.rate"),
        no_store.get("accept.rate"),
        0.7,
    )
    ratio("batches of 100: times the rate of single ones", ours.get("batch.rate"), ours.get("accept.rate"), 3)
    most("POST to final dot, idle, p99", ours.get("idle.p99_ms"), 25 + 2 * fdatasync_p99, "ms")
    if deep:
        most("a claim, many rows waiting against few", deep["claim.deep_ms"] / deep["claim.shallow_ms"], 1.3, "times")
        most("peak memory of serve on the large backlog", deep["deep.memory"], 200, "MiB")
    cpu = cpu_of_delivery(ours)
    ratio("delivery: messages a second and core", 1e6 if cpu else None, cpu, 2000, 3000)
    return ["| target | wanted | measured | by CPU a message | |", "|---|---|---|---|---|", *lines]


def _verdict(met: bool, aim: bool = True) -> str:
    return "**not met**" if not met else "met" if aim else "met, aim missed"


def plot(found: Mapping[str, Figures]) -> str:
    """Delivery rates as bars."""
    rates = [(name, rate) for name, figures in found.items() if (rate := delivery_rate(figures))]
    width, row, left = 860, 34, 330
    scale = (width - left - 90) / max(rate for _, rate in rates)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{row * len(rates) + 50}" '
        'font-family="sans-serif" font-size="14">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="12" y="26" font-weight="bold" fill="#101828">Messages delivered per second, two cores</text>',
    ]
    for n, (name, rate) in enumerate(rates):
        top, color = 44 + row * n, "#175cd3" if name.startswith("notifier") else "#98a2b3"
        label = name.replace("&", "&amp;")
        parts.append(f'<text x="12" y="{top + 16}" fill="#344054">{label}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="{max(1, rate * scale):.0f}" height="22" fill="{color}"/>')
        parts.append(f'<text x="{left + rate * scale + 8:.0f}" y="{top + 16}" fill="#344054">{rate:,.0f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def write(section: str) -> None:
    """Between the markers of the README."""
    text = README.read_text("utf-8")
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    README.write_text(f"{before}{_BEGIN}\n{section.strip()}\n{_END}{after}", "utf-8")
