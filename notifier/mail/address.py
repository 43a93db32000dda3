"""Mail addresses as requests carry them (RFC 5321 4.1.2, RFC 5322 3.4, RFC 6532), checked by syntax alone.

A plain ASCII address is decided by one regular expression; email-validator judges the rest. Any domain will do that
could be a host's name: `.test`, `.local`, `localhost` and `mailhost` are as good as others (no DNS, no list of
special names). Addresses of numbers, in brackets or bare, are refused.
"""

import re
import unicodedata
from functools import lru_cache

import idna
from email_validator import EmailNotValidError, validate_email

from notifier.domain.errors import NotifierError
from notifier.domain.notification import Address
from notifier.mail.words import objection

LONGEST_NAME = 256
"""Characters of a display name."""
_LONGEST = 2000
"""Characters of an address with its name, all of it in escapes. What is longer is not looked at: that takes seconds."""
LONGEST_LOCAL_PART = 64
"""Octets (RFC 5321 4.5.3.1.1)."""

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN = re.compile(
    rf"(?=.{{3,254}}\Z)(?P<local>(?=[^@]{{1,64}}@){_ATEXT}++(?:\.{_ATEXT}++)*+)"
    rf"@(?P<domain>(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL})",
    re.IGNORECASE,
)
_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.)*+)" *(<.*)')
_ESCAPE = re.compile(r"\\(.)")
_NO_HOST = "After the @-sign there must be a host's name; an IP address is not taken."
_ENDS = {"@": "There must be something after the @-sign.", ".": "An address cannot end with a period.", "]": _NO_HOST}
# Whatever its options, email-validator refuses .test, .local and their like. Behind one label more they pass, at the
# price of two of the 254 octets of an address that is not plain.
_SHIELD = "x"
_ESCAPED_BREAK = re.compile("%0[0ad]", re.IGNORECASE)


class AddressError(NotifierError):
    """An address that cannot be taken. `reason` is a sentence for a person; it does not repeat the address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_address(text: str) -> Address:
    """One address out of ``zoe@example.com``, ``<zoe@example.com>``, ``Zoë <zoe@example.com>`` or
    ``"Zoë, the \\"Great\\"" <zoe@example.com>`` (RFC 5322 3.4 without comments, groups and source routes).

    Raises `AddressError` for anything else, several addresses among it.
    """
    if _PLAIN.fullmatch(text):
        return Address(check_email(text))
    _check_length(text)
    if complaint := objection(text):
        raise AddressError(f"The address {complaint}.")
    text = text.strip(" ")
    if quoted := _QUOTED_NAME.fullmatch(text):
        return Address(_in_brackets(quoted[2]), check_name(_ESCAPE.sub(r"\1", quoted[1])))
    if text.startswith('"') or "<" not in text:
        if text.count("@") > 1 and ("," in text or ";" in text) and not text.startswith('"'):
            raise AddressError("There are several addresses: give one.")
        return Address(check_email(text))
    name, _, rest = text.partition("<")
    if unquoted := next((c for c in name if c in '",;:@\\>'), None):
        raise AddressError(f"There is a {unquoted} in the name: put the name in double quotes, and give one address.")
    return Address(_in_brackets("<" + rest), check_name(name))


def _in_brackets(text: str) -> str:
    if not text.endswith(">"):
        raise AddressError("The angle bracket before the address is not closed at the end, or more follows it.")
    return check_email(text[1:-1])


@lru_cache(maxsize=4096)
def check_email(email: str) -> str:
    """The addr-spec in normal form: domain in lower case (an IDN in Unicode), local part as it is, NFC.

    Raises `AddressError`. Idempotent. An attempt asks several times for the same address, one after the other.
    """
    if plain := _PLAIN.fullmatch(email):
        local, domain = plain["local"], plain["domain"].lower()
        if ("%" in local or "=?" in local) and (complaint := _suspicious(local)):
            raise AddressError(complaint)
        return f"{local}@{domain}"
    return _checked(email)


def _checked(email: str) -> str:
    """`check_email` for what is not plain."""
    _check_length(email)
    if complaint := objection(email):
        raise AddressError(f"The address {complaint}.")
    if not email.strip():
        raise AddressError("The address is empty.")
    if email.endswith(("@", ".", "]")):
        raise AddressError(_ENDS[email[-1]])
    try:
        found = validate_email(f"{email}.{_SHIELD}", check_deliverability=False, globally_deliverable=False,
                               allow_smtputf8=True, allow_quoted_local=True, strict=True)  # fmt: skip
    except EmailNotValidError as error:
        raise AddressError(f"{str(error).removesuffix('.')}.") from error
    local, domain = found.local_part, found.domain.removesuffix(f".{_SHIELD}")
    if not email.startswith('"'):
        # email-validator lowers the case of Postmaster and its like (RFC 2142); we pass on what we were given.
        local = unicodedata.normalize("NFC", email.rpartition("@")[0])
    if complaint := _suspicious(local):
        raise AddressError(complaint)
    if len(local.encode()) > LONGEST_LOCAL_PART:  # email-validator counts characters
        raise AddressError(f"The part before the @-sign is longer than {LONGEST_LOCAL_PART} octets.")
    if domain.rpartition(".")[2].isdecimal():
        raise AddressError(_NO_HOST)
    return f"{local}@{domain}"


def _check_length(text: str) -> None:
    if len(text) > _LONGEST:
        raise AddressError(f"The address is longer than {_LONGEST} characters.")


def _suspicious(local: str) -> str | None:
    """Local parts that are legal and that no mailbox has: bait for software that decodes what it should not."""
    if "=?" in local:
        return "The part before the @-sign looks like an encoded word."
    if _ESCAPED_BREAK.search(local):
        return "The part before the @-sign contains a percent-encoded line break or NUL."
    return None


def check_name(name: str) -> str:
    """A display name without the spaces around it, NFC. It is data: whatever is in it is shown, never parsed.

    Raises `AddressError` for control characters and beyond `LONGEST_NAME`.
    """
    if complaint := objection(name):
        raise AddressError(f"The name {complaint}.")
    name = unicodedata.normalize("NFC", name).strip()
    if len(name) > LONGEST_NAME:
        raise AddressError(f"The name is longer than {LONGEST_NAME} characters.")
    return name


def needs_smtputf8(email: str) -> bool:
    """Whether a relay must offer SMTPUTF8 (RFC 6531) to be given this address: its local part is not ASCII."""
    return not email.isascii() and not email.rpartition("@")[0].isascii()


def envelope_address(email: str) -> str:
    """The addr-spec for MAIL and RCPT: the domain in A-labels (IDNA 2008 with the mapping of UTS 46), the local part
    as it is. Raises `AddressError` for what `check_email` refuses."""
    email = check_email(email)
    return email if email.isascii() else _in_a_labels(email)


@lru_cache(maxsize=4096)
def _in_a_labels(email: str) -> str:
    local, _, domain = email.rpartition("@")
    if domain.isascii():
        return email
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError as error:
        raise AddressError(f"The part after the @-sign is not a valid name ({error}).") from error


def comparison_key(email: str) -> str:
    """What two spellings of an address have in common: lower case, the domain in A-labels. For suppressions and
    allow-lists, never for sending. Raises `AddressError`."""
    local, _, domain = envelope_address(email).rpartition("@")
    return f"{unicodedata.normalize('NFC', local.lower())}@{domain}"
