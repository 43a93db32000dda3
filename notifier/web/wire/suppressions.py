"""The bodies and answers of /v1/suppressions: JSON, and CSV for many at once."""

import base64
import binascii
import csv
import io
from collections.abc import Iterable
from typing import Annotated, Any, Final, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from notifier.domain.errors import Fault, refused
from notifier.domain.suppression import ALL, NewSuppression, Suppression, SuppressionReason
from notifier.mail.address import AddressError, check_email, comparison_key
from notifier.mail.words import objection
from notifier.web.wire.answers import instant

COLUMNS: Final = ("email", "scope", "reason", "source", "created_at")
_MOST_FAULTS = 100
REASONS: Final[dict[str, SuppressionReason]] = {reason: reason for reason in get_args(SuppressionReason)}
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def _scope(value: str) -> str:
    if complaint := objection(value):
        raise ValueError(complaint)
    return value


Scope = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True), AfterValidator(_scope)]


class SuppressionBody(BaseModel):
    """Why an address is left alone, and by which mail: `all`, or the category of templates."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    reason: SuppressionReason = "manual"
    scope: Scope = ALL


class SuppressionQuery(BaseModel):
    """All that is given must hold; `after` takes the `next` of the last answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: SuppressionReason | None = None
    scope: Scope | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    after: Annotated[str, StringConstraints(max_length=1024)] | None = None


class ScopeQuery(BaseModel):
    """Which scope; without it: every one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    scope: Scope | None = None


def read_address(text: str, field: str = "address") -> tuple[str, str]:
    """An address and its comparison key. Raises Refused."""
    try:
        email = check_email(text)
        return email, comparison_key(email)
    except AddressError as error:
        raise refused([Fault(field, "syntax", error.reason)]) from None


def suppression_json(one: Suppression) -> dict[str, Any]:
    return {
        "object": "suppression",
        "email": one.email,
        "scope": one.scope,
        "reason": one.reason,
        "source": one.source,
        "created_at": instant(one.created_at),
    }


def place_text(place: tuple[str, str]) -> str:
    """A place in the list, which callers keep and give back as it is."""
    return base64.urlsafe_b64encode("\n".join(place).encode()).decode().rstrip("=")


def read_place(text: str) -> tuple[str, str]:
    """See `place_text`. Raises Refused."""
    try:
        key, scope = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode().split("\n")
    except (binascii.Error, ValueError):
        key, scope = "", ""
    if not key or objection(key) or objection(scope):
        raise refused([Fault("after", "syntax", "is not the `next` of an answer of this list")])
    return key, scope


def csv_lines(entries: Iterable[Suppression]) -> str:
    """Rows without the header. A cell that a spreadsheet would take for a formula is shown as text."""
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    for one in entries:
        cells = (one.email, one.scope, one.reason, one.source or "", instant(one.created_at) or "")
        writer.writerow([f"'{cell}" if cell.startswith(_DANGEROUS) else cell for cell in cells])
    return sheet.getvalue()


def read_csv(content: bytes, source: str) -> list[NewSuppression]:
    """Suppressions from a CSV with a header: `email`, and if it has them `scope` and `reason`. Raises Refused, with
    the line of every fault."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused([Fault("", "syntax", "the file is not UTF-8")]) from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        if "email" not in names:
            raise refused([Fault("line 1", "missing", "the first line must name the columns, `email` among them")])
        found: list[NewSuppression] = []
        faults: list[Fault] = []
        for row in reader:
            one = _read_row(row, f"line {reader.line_num}", source)
            (faults if isinstance(one, Fault) else found).append(one)  # type: ignore[arg-type]
            if len(faults) >= _MOST_FAULTS:
                break
    except csv.Error as error:
        raise refused([Fault(f"line {reader.line_num}", "syntax", str(error))]) from None
    if faults:
        raise refused(faults)
    return found


def _read_row(row: dict[str, Any], line: str, source: str) -> NewSuppression | Fault:
    cells = {name: (row.get(name) or "").strip().removeprefix("'") for name in ("email", "scope", "reason")}
    scope, reason = cells["scope"] or ALL, REASONS.get(cells["reason"] or "manual")
    if len(scope) > 64 or objection(scope):
        return Fault(line, "syntax", "scope: must be `all` or a category of at most 64 characters")
    if reason is None:
        return Fault(line, "unknown", f"reason: must be one of {', '.join(REASONS)}")
    try:
        email = check_email(cells["email"])
        return NewSuppression(comparison_key(email), email, scope, reason, source)
    except AddressError as error:
        return Fault(line, "syntax", f"email: {error.reason}")
