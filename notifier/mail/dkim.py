"""DKIM signatures (RFC 6376, RFC 8463) for messages that `mime` built: relaxed/relaxed, RSA and Ed25519. Pure, but for
the reading of key files.

Made with `cryptography`, 0.3 ms a message with a key of 2048 bits. dkimpy, which computes RSA in Python, takes 7; it is
what the tests verify with.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from notifier.mail.address import AddressError, envelope_address

LEAST_BITS: Final = 1024
"""Of an RSA key (RFC 8301 3.2): readers take shorter ones for no signature."""

# Twice, once in vain: else somebody on the way could add another one, and readers be shown that (RFC 6376 8.15).
_GUARDED: Final = (b"from", b"to", b"cc", b"reply-to", b"subject", b"date")
_SIGNED: Final = (
    b"message-id", b"in-reply-to", b"references", b"mime-version", b"content-type", b"content-transfer-encoding",
    b"auto-submitted", b"list-unsubscribe", b"list-unsubscribe-post", b"list-id", b"list-help", b"list-subscribe",
    b"list-post", b"list-owner", b"list-archive",
)  # fmt: skip
"""What else is signed where it is there (RFC 6376 5.4.1; RFC 8058 4 wants both headers of unsubscribing)."""

_FIELDS = re.compile(rb"\r\n(?![ \t])")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_SPACES = re.compile(rb"[ \t]+")
_LABELS = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE)

Kind = Literal["rsa", "ed25519"]


@dataclass(frozen=True, slots=True)
class DkimKey:
    """What signs for a domain and those below it, and under which selector its public half is found."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @property
    def kind(self) -> Kind:
        return "rsa" if isinstance(self.key, RSAPrivateKey) else "ed25519"

    @property
    def name(self) -> str:
        """Where readers look for the public key (RFC 6376 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record that belongs there."""
        public = self.key.public_key()
        if self.kind == "rsa":
            octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={self.kind}; p={base64.b64encode(octets).decode()}"

    def sign(self, octets: bytes) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(octets, PKCS1v15(), hashes.SHA256())
        return self.key.sign(hashlib.sha256(octets).digest())  # RFC 8463 3


def read_key(text: str) -> DkimKey:
    """``DOMAIN:SELECTOR:PATH`` of a private key in PEM, without a passphrase. Raises ValueError, with a sentence."""
    domain, _, rest = text.partition(":")
    selector, _, path = rest.partition(":")
    if not domain or not selector or not path:
        raise ValueError(f"{text!r} is not DOMAIN:SELECTOR:PATH")
    try:
        domain = envelope_address(f"postmaster@{domain}").rpartition("@")[2]
    except AddressError as error:
        raise ValueError(f"{domain!r} is no domain: {error.reason}") from None
    if not _LABELS.fullmatch(selector):
        raise ValueError(f"{selector!r} is no selector: letters, digits and hyphens, in labels as of a domain")
    try:
        key = load_pem_private_key(Path(path).read_bytes(), None)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(f"{path} is not a private key in PEM without a passphrase") from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError(f"{path} is neither an RSA nor an Ed25519 key")
    if isinstance(key, RSAPrivateKey) and key.key_size < LEAST_BITS:
        raise ValueError(f"{path} has {key.key_size} bits; readers want {LEAST_BITS} at least, better 2048 (RFC 8301)")
    return DkimKey(domain, selector, key)


class Dkim:
    """Signs what is from one of the domains of `keys`, or from below one; with several keys of a domain, several
    times. Mail from anywhere else stays as it is."""

    def __init__(self, keys: Iterable[DkimKey]) -> None:
        self.keys = tuple(keys)

    def keys_of(self, sender: str) -> list[DkimKey]:
        """Those that sign for a sender's address: of its own domain, or else of the nearest above."""
        domain = envelope_address(sender).rpartition("@")[2].lower()
        while domain:
            if found := [key for key in self.keys if key.domain == domain]:
                return found
            domain = domain.partition(".")[2]
        return []

    def signed(self, message: bytes, sender: str, at: datetime) -> bytes:
        """The message with its signatures on top. The same input gives the same bytes."""
        keys = self.keys_of(sender)
        if not keys:
            return message
        head, _, body = message.partition(b"\r\n\r\n")
        fields = [_relaxed_field(field) for field in _FIELDS.split(head)]
        there = dict(fields)
        names = [name for name in _GUARDED for _ in range(2)] + [name for name in _SIGNED if name in there]
        signed = b"".join(there[name] for name in dict.fromkeys(names) if name in there)
        digest = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest())
        lines = [_signature(key, names, signed, digest, int(at.timestamp())) for key in keys]
        return b"".join([*lines, message])


def _signature(key: DkimKey, names: Iterable[bytes], signed: bytes, digest: bytes, at: int) -> bytes:
    field = (
        f"DKIM-Signature: v=1; a={key.kind}-sha256; c=relaxed/relaxed; d={key.domain};\r\n"
        f" s={key.selector}; t={at};\r\n"
    ).encode()
    field += b" h=" + _folded(b":".join(names), b":") + b";\r\n bh=" + digest + b";\r\n b="
    _, unsigned = _relaxed_field(field)
    value = base64.b64encode(key.sign(signed + unsigned.removesuffix(b"\r\n")))
    return field + b"\r\n ".join([value[:70], *(value[at : at + 74] for at in range(70, len(value), 74))]) + b"\r\n"


def _folded(value: bytes, separator: bytes) -> bytes:
    """On lines of some seventy columns, broken after a separator."""
    lines = [b""]
    for word in value.split(separator):
        if len(lines[-1]) + len(word) > 66:
            lines.append(b"")
        lines[-1] += word + separator
    return b"\r\n  ".join(lines).removesuffix(separator)


def _relaxed_field(field: bytes) -> tuple[bytes, bytes]:
    """Name and canonical line (RFC 6376 3.4.2)."""
    name, _, value = field.partition(b":")
    name = name.strip().lower()
    return name, b"%b:%b\r\n" % (name, _SPACES.sub(b" ", _FOLD.sub(b"", value)).strip(b" \r\n"))


def relaxed_body(body: bytes) -> bytes:
    """The canonical body (RFC 6376 3.4.4). That of our own messages mostly is canonical already, and looking for what
    is not takes a tenth of the time of replacing it."""
    if b"\t" in body or b"  " in body or b" \r\n" in body:
        body = _SPACES.sub(b" ", body).replace(b" \r\n", b"\r\n")
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n" if end else b""
