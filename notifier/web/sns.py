"""Messages of Amazon SNS: who signed them, and for which topic."""

import base64
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from notifier.domain.errors import Unauthenticated, Unavailable

_HOST: Final = re.compile(r"sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?")
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - theirs
_MOST_CERTIFICATES: Final = 16


class SnsVerifier:
    """Believes messages of these topics (ARNs) that Amazon signed. `fetch` gets a certificate by its URL."""

    def __init__(self, topics: Collection[str], fetch: Callable[[str], Awaitable[bytes]]) -> None:
        self._topics = frozenset(topics)
        self._fetch = fetch
        self._keys: dict[str, RSAPublicKey] = {}

    async def verify(self, message: Any) -> Mapping[str, str]:
        """The message. Raises Unauthenticated, or Unavailable where the certificate cannot be had now."""
        if not isinstance(message, dict) or not all(isinstance(value, str) for value in message.values()):
            raise Unauthenticated("this is not a message of Amazon SNS")
        fields = _SIGNED.get(message.get("Type", ""))
        algorithm = _HASHES.get(message.get("SignatureVersion", ""))
        if fields is None or algorithm is None or message.get("TopicArn") not in self._topics:
            raise Unauthenticated("this is not a message of a topic that NOTIFIER_SES_TOPICS names")
        signed = "".join(f"{name}\n{message[name]}\n" for name in fields if name in message).encode()
        try:
            signature = base64.b64decode(message.get("Signature", ""), validate=True)
            key = await self._key(message.get("SigningCertURL", ""))
            key.verify(signature, signed, PKCS1v15(), algorithm)
        except (ValueError, InvalidSignature):  # no base64 or not even ASCII; or of something else
            raise Unauthenticated("the signature of this message is not good") from None
        return message

    async def confirm(self, message: Mapping[str, str]) -> None:
        """Says yes to a subscription of a topic of ours. Raises Unauthenticated, Unavailable."""
        url = message.get("SubscribeURL", "")
        _check(url)
        await self._get(url)

    async def _key(self, url: str) -> RSAPublicKey:
        if url not in self._keys:
            _check(url)
            if not urlsplit(url).path.endswith(".pem"):
                raise Unauthenticated("the certificate of this message is not Amazon's")
            try:
                key = x509.load_pem_x509_certificate(await self._get(url)).public_key()
            except ValueError:
                raise Unauthenticated("the certificate of this message cannot be read") from None
            if not isinstance(key, RSAPublicKey):
                raise Unauthenticated("the certificate of this message is not Amazon's")
            if len(self._keys) >= _MOST_CERTIFICATES:
                self._keys.clear()
            self._keys[url] = key
        return self._keys[url]

    async def _get(self, url: str) -> bytes:
        try:
            return await self._fetch(url)
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"Amazon cannot be asked now: {error}", retry_after=10.0) from error


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and _HOST.fullmatch(parts.netloc) is not None
    except ValueError:
        good = False
    if not good:
        raise Unauthenticated("this message names a server that is not Amazon's")
