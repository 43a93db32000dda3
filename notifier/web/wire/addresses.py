"""Addresses in requests: a string, an object, or a list of either; every fault with the caller's own path."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.domain.errors import Fault
from notifier.domain.notification import Address, Kind, Recipient
from notifier.mail.address import AddressError, check_email, check_name, comparison_key, parse_address

_SHAPES = 'must be an address, an object {"email", "name"}, or a list of these'


@dataclass(slots=True)
class Addressees:
    """Collects the recipients of a request and what is wrong with them."""

    limit: int
    faults: list[Fault] = field(default_factory=list)
    recipients: list[Recipient] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)

    def add(self, kind: Kind, given: Any) -> None:
        """Reads what stands under `kind`. An address may stand in a request once: it gets one mail."""
        for path, address in read_addresses(given, kind, self.faults):
            key = comparison_key(address.email)
            if key in self._seen:
                message = f"{address.email} is a recipient already, at {self._seen[key]}"
                self.faults.append(Fault(path, "duplicate", message))
                continue
            self._seen[key] = path
            self.fields.append(path)
            self.recipients.append(Recipient(len(self.recipients), kind, address.email, address.name, address_key=key))

    def check(self) -> None:
        """Faults of all of them together."""
        if len(self.recipients) > self.limit:
            message = f"{len(self.recipients)} recipients; a message has at most {self.limit}, cc and bcc counted"
            self.faults.append(Fault(self.fields[self.limit], "length", message))
        if not self.recipients and not self.faults:
            self.faults.append(Fault("to", "missing", "names nobody"))
        elif not any(r.kind == "to" for r in self.recipients) and not self.faults:
            self.faults.append(Fault("to", "missing", "names nobody; a message needs somebody in to"))


def read_addresses(given: Any, field: str, faults: list[Fault]) -> list[tuple[str, Address]]:
    """The addresses under `field`, each with its path. What is wrong goes to `faults`."""
    if given is None:
        return []
    found = []
    for path, entry in _entries(given, field):
        address = read_address(entry, path, faults)
        if address is not None:
            found.append((path, address))
    return found


def _entries(given: Any, field: str) -> Iterator[tuple[str, Any]]:
    if isinstance(given, list):
        for n, entry in enumerate(given[:1000]):
            yield f"{field}[{n}]", entry
    else:
        yield field, given


def read_address(entry: Any, path: str, faults: list[Fault]) -> Address | None:
    """One address, or None and its faults."""
    if isinstance(entry, str):
        try:
            return parse_address(entry)
        except AddressError as error:
            faults.append(Fault(path, "syntax", error.reason))
            return None
    if isinstance(entry, Mapping):
        return _from_object(entry, path, faults)
    faults.append(Fault(path, "type", _SHAPES))
    return None


def _from_object(entry: Mapping[str, Any], path: str, faults: list[Fault]) -> Address | None:
    before = len(faults)
    for name in entry.keys() - {"email", "name"}:
        faults.append(Fault(f"{path}.{name}", "unknown", "is not a field of an address"))
    email = _checked(entry.get("email"), f"{path}.email", check_email, faults)
    name = _checked(entry.get("name"), f"{path}.name", check_name, faults, default="")
    return Address(email, name) if len(faults) == before else None


def _checked(
    value: Any, path: str, check: Callable[[str], str], faults: list[Fault], default: str | None = None
) -> str:
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        faults.append(Fault(path, "missing" if value is None else "type", "must be a string"))
        return ""
    try:
        return check(value)
    except AddressError as error:
        faults.append(Fault(path, "syntax", error.reason))
        return ""
