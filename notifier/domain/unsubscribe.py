"""Links by which a reader says stop (RFC 8058): signed, good for ever, and for one address and one category alone."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Final

_MAC_OCTETS: Final = 16


@dataclass(frozen=True, slots=True)
class Stop:
    """What a link stands for. It names the address itself, so that it is good long after its mail was forgotten."""

    notification: str
    address_key: str
    category: str


class UnsubscribeLinks:
    """Makes and reads ``{public_url}/unsubscribe/{token}``."""

    def __init__(self, public_url: str, secret: bytes) -> None:
        self._base = f"{public_url}/unsubscribe/"
        self._secret = secret

    @property
    def one_click(self) -> bool:
        """RFC 8058 3.1 wants HTTPS."""
        return self._base.startswith("https:")

    def url(self, stop: Stop) -> str:
        told = "\n".join((stop.notification, stop.address_key, stop.category)).encode()
        return self._base + base64.urlsafe_b64encode(self._mac(told) + told).decode().rstrip("=")

    def read(self, token: str) -> Stop | None:
        """None for what we did not make."""
        try:
            octets = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            mac, told = octets[:_MAC_OCTETS], octets[_MAC_OCTETS:]
            if not hmac.compare_digest(mac, self._mac(told)):
                return None
            return Stop(*told.decode().split("\n"))
        except (binascii.Error, ValueError, TypeError):
            return None

    def _mac(self, told: bytes) -> bytes:
        return hmac.digest(self._secret, told, "sha256")[:_MAC_OCTETS]
