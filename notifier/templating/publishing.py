"""What publishing means for others: the callers that a new version would refuse, and the templates that reach a shared
file."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifier.domain.errors import Conflict, Fault
from notifier.domain.template import Origin
from notifier.templating.bundle import Bundle
from notifier.templating.child import Workshop
from notifier.templating.contract import breaking_changes
from notifier.templating.pool import Pool, Shared, is_shared, load
from notifier.templating.template import Template

_INDEX = re.compile(r"\[\d+\]")


def breaks(old: Template, new: Template, recent: Sequence[Mapping[str, Any]], at: datetime) -> list[Fault]:
    """What `new` asks that `old` did not, and how many of the requests accepted last it would refuse. Names and types,
    never values. May take seconds: call it in a thread."""
    faults = list(breaking_changes(old.contract, new.contract))
    refused: Counter[tuple[str, str]] = Counter()
    for data in recent:
        wrong = _wrong(new, data, at)
        if wrong:
            refused.update(wrong - _wrong(old, data, at))
    for (field, code), count in sorted(refused.items(), key=lambda entry: (-entry[1], entry[0])):
        name = field.removeprefix("data.")
        what = f"did not send `{name}`" if code == "missing" else f"would be refused for `{name}` ({code})"
        faults.append(Fault(field, "recent", f"{count} of {len(recent)} {what}, of the requests accepted last"))
    return faults


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
