"""The return path of each message (VERP): who bounces to it names the notification, and cannot make one up."""

import base64
import hashlib
import hmac
import re
import uuid
from typing import Final

from notifier.mail.address import LONGEST_LOCAL_PART, envelope_address

_MAC_OCTETS: Final = 10
_TOKEN: Final = r"[a-z2-7]{26}\.[a-z2-7]{16}"  # noqa: S105 - a pattern
_TOKEN_LENGTH: Final = 26 + 1 + 16


class ReturnPath:
    """``bounces+TOKEN@domain`` for an `address` ``bounces@domain``; TOKEN is the id and 80 bits of its HMAC-SHA-256,
    in base32, because servers on the way may change the case. Raises ValueError where the address is too long."""

    def __init__(self, address: str, secret: bytes) -> None:
        self.address = envelope_address(address)
        self._secret = secret
        self._local, _, self.domain = self.address.rpartition("@")
        if len(self._local) + 1 + _TOKEN_LENGTH > LONGEST_LOCAL_PART:
            most = LONGEST_LOCAL_PART - 1 - _TOKEN_LENGTH
            raise ValueError(f"the part before the @-sign has more than {most} characters; the rest is for a token")
        self._pattern = re.compile(
            rf"{re.escape(self._local)}\+({_TOKEN})@{re.escape(self.domain)}(?![\w.-])", re.IGNORECASE
        )

    def of(self, notification: str) -> str:
        """The envelope's sender for a notification."""
        octets = uuid.UUID(notification).bytes
        return f"{self._local}+{_text(octets)}.{_text(self._mac(octets))}@{self.domain}"

    def read(self, address: str) -> str | None:
        """The notification that an address stands for, or None if it is not one that we made."""
        found = self._pattern.fullmatch(address)
        return self._verified(found[1]) if found else None

    def find(self, text: str) -> str | None:
        """The notification of the first address of ours in a text."""
        for found in self._pattern.finditer(text):
            if (id_ := self._verified(found[1])) is not None:
                return id_
        return None

    def _verified(self, token: str) -> str | None:
        id_, _, mac = token.upper().partition(".")
        octets = base64.b32decode(id_ + "======")
        if not hmac.compare_digest(base64.b32decode(mac), self._mac(octets)):
            return None
        return str(uuid.UUID(bytes=octets))

    def _mac(self, octets: bytes) -> bytes:
        return hmac.digest(self._secret, octets, hashlib.sha256)[:_MAC_OCTETS]


def _text(octets: bytes) -> str:
    return base64.b32encode(octets).decode().rstrip("=").lower()
