"""What publishing means for others: the callers that a new version would refuse, and the templates that reach a shared
file."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from notifier.domain.errors import Conflict, Fault
from notifier.domain.template import Consequence, Origin
from notifier.templating.bundle import Bundle
from notifier.templating.child import Workshop
from notifier.templating.contract import compare
from notifier.templating.pool import Pool, Shared, is_shared, load
from notifier.templating.template import Template

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a new version asks of the callers of the old one: `changes` of the contract, and how many of the `recent`
    requests it would refuse that the old one takes, by (field, code). Names and types, never values."""

    changes: tuple[Fault, ...] = ()
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)
    recent: int = 0

    @property
    def breaks(self) -> list[Fault]:
        """What callers have to change, one fault each; none for a version that takes whatever the old one takes."""
        faults = [change for change in self.changes if change.code != "unused"]
        for (path, code), count in sorted(self.refused.items(), key=lambda entry: (-entry[1], entry[0])):
            name = path.removeprefix("data.")
            what = f"did not send `{name}`" if code == "missing" else f"would be refused for `{name}` ({code})"
            faults.append(Fault(path, "recent", f"{count} of {self.recent} {what}, of the requests accepted last"))
        return faults


def judge(old: Template, new: Template, recent: Sequence[Mapping[str, Any]], at: datetime) -> Judged:
    """Compares two versions for those who send the data. May take seconds: call it in a thread."""
    refused: Counter[tuple[str, str]] = Counter()
    for data in recent:
        wrong = _wrong(new, data, at)
        if wrong:
            refused.update(wrong - _wrong(old, data, at))
    return Judged(compare(old.contract, new.contract), refused, len(recent))


_SHOWS: Final = {"required": "missing", "removed": "unknown", "type": "type"}
"""What a request is refused for that does not know of a change."""


def consequences(template: str, judged: Judged) -> Iterator[Consequence]:
    """What was judged, in sentences for a person who does not write schemas."""
    left = dict(judged.refused)
    for change in judged.changes:
        count = left.pop((change.field, _SHOWS.get(change.code, "")), 0)
        yield Consequence(template, _sentence(change, count, judged.recent), change.code != "unused")
    for (path, code), count in sorted(left.items(), key=lambda entry: (-entry[1], entry[0])):
        told = _sentence(Fault(path, "required" if code == "missing" else code, ""), count, judged.recent)
        yield Consequence(template, told, breaks=True)


def _sentence(change: Fault, count: int, recent: int) -> str:
    name = f"`{change.field.removeprefix('data.')}`"
    counted = f"{count} of the last {recent}" if count else f"none of the last {recent}"
    match change.code:
        case "required":
            did = f"; {counted} did not" if count else f"; all of the last {recent} did"
            return f"callers must now send {name}" + (did if recent else "")
        case "removed":
            return f"callers may no longer send {name}" + (f"; {counted} did" if recent else "")
        case "type":
            return f"{name} {change.message}" + (f"; {counted} would be refused for it" if recent else "")
        case "unused":
            return f"{name} is no longer used; callers may go on sending it"
        case code:
            return f"{name} would be refused in {counted} requests ({code})"


def _wrong(template: Template, data: Mapping[str, Any], at: datetime) -> set[tuple[str, str]]:
    return {(_INDEX.sub("[]", fault.field), fault.code) for fault in template.verdict(data, at=at).faults}


@dataclass(frozen=True, slots=True)
class Renewal:
    """A template, closed anew over a shared file. Where it was edited in the pages its author decides: a draft."""

    name: str
    bundle: Bundle
    origin: Origin

    @property
    def publish(self) -> bool:
        return self.origin != "pages"


async def renewals(store: Shared, workshop: Workshop, changed: Bundle, pool: Pool, at: datetime) -> list[Renewal]:
    """The published templates that reach a shared file, closed anew over a pool that has its new text. Raises Conflict
    with everything that would not compile any more: a layout breaks nobody."""
    found: list[Renewal] = []
    faults: list[Fault] = []
    known = await store.published()
    for name, published in sorted(known.items()):
        closure = None if is_shared(name) else await store.find_version(name, published.number)
        if closure is None:
            continue
        bundle = await load(store, closure)
        if changed.name in known and changed.name not in bundle.files and changed.name not in bundle.assets:
            continue  # a file that was not there before is found by whoever asked for it
        whole = Pool(bundle.files, bundle.assets).over(pool.files, pool.assets)
        checked = await workshop.check(name, whole.files, whole.assets, at=at)
        if checked.broken:
            faults += [Fault(f"{name}: {fault.field}", fault.code, fault.message) for fault in checked.faults]
            continue
        if changed.name not in checked.closure:
            continue
        renewed = whole.bundle(name, checked.closure)
        if renewed.hash != bundle.hash:
            found.append(Renewal(name, renewed, published.origin))
    if faults:
        raise Conflict(f"{changed.name} would break {len(faults)} places", code="breaking_change", faults=faults)
    return found
