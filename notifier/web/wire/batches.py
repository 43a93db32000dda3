"""A batch's JSON: its items with the defaults under each, and faults said where the caller made them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from notifier.domain.acceptance import IdempotencyKey
from notifier.domain.errors import Fault
from notifier.intake import Request
from notifier.web.wire.faults import salvage
from notifier.web.wire.limits import Limits
from notifier.web.wire.models import BatchBody
from notifier.web.wire.requests import Shared, fingerprinted, read_request

MERGED: Final = ("data", "metadata", "headers")
"""Objects whose entries are merged one by one; any other field of an item takes the place of the default."""

_PLACE = re.compile(r"notifications\[(\d+)\]\.?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class BatchAsked:
    """A batch as it was read: its items in order, and what is wrong with the batch itself."""

    requests: Sequence[Request]
    defaults: Mapping[str, Any]
    items: Sequence[Any]
    idempotency: IdempotencyKey | None
    faults: Sequence[Fault]

    def told_once(self, faults: Iterable[Fault]) -> list[Fault]:
        """What is wrong with a default is wrong with a thousand items, and told once, as ``defaults.FIELD``."""
        found: dict[tuple[str, str], Fault] = {}
        for fault in faults:
            place = _PLACE.fullmatch(fault.field)
            if place and self._is_default(int(place[1]), place[2]):
                fault = Fault(f"defaults.{place[2]}", fault.code, fault.message)
            found.setdefault((fault.field, fault.code), fault)
        return list(found.values())

    def _is_default(self, place: int, field: str) -> bool:
        """Whether the field that is at fault was given in the defaults and not in the item."""
        name, *inner = re.split(r"[.\[]", field, maxsplit=2)
        item = self.items[place]
        if name not in self.defaults or not isinstance(item, Mapping):
            return False
        if name not in item:
            return True
        default, given = self.defaults[name], item[name]
        is_merged = name in MERGED and isinstance(default, Mapping) and isinstance(given, Mapping)
        return bool(is_merged and inner and inner[0] in default and inner[0] not in given)


def read_batch(raw: Any, limits: Limits, *, key: str | None, secret: bytes, permissive: bool) -> BatchAsked:
    """A batch's JSON. `key` is the Idempotency-Key header: the batch's own."""
    if not isinstance(raw, dict):
        return BatchAsked((), {}, (), None, (Fault("", "type", "the body must be an object"),))
    body, faults = salvage(BatchBody, raw)
    defaults, items = body.defaults or {}, body.notifications
    if "idempotency_key" in defaults:
        message = "would make one mail of all items; give each its own, or send the header Idempotency-Key"
        faults.append(Fault("defaults.idempotency_key", "conflict", message))
    if not items and not faults:
        faults.append(Fault("notifications", "missing", "is empty"))
    if len(items) > limits.batch:
        faults.append(Fault("notifications", "length", f"has {len(items)} items; a batch has at most {limits.batch}"))
        items = []
    if any(fault.field == "defaults" for fault in faults):
        items = []  # what they lack may have been meant to be in there
    shared = Shared()
    requests = [read_request(_merged(defaults, item), limits, secret=secret, shared=shared) for item in items]
    idempotency = fingerprinted(key, {**raw, "?validation": permissive}, secret)
    return BatchAsked(requests, defaults, items, idempotency, faults)


def _merged(defaults: Mapping[str, Any], item: Any) -> Any:
    if not isinstance(item, dict) or not defaults:
        return item
    merged = {**defaults, **item}
    for name in MERGED:
        default, given = defaults.get(name), item.get(name)
        if isinstance(default, dict) and isinstance(given, dict):
            merged[name] = {**default, **given}
    return merged
