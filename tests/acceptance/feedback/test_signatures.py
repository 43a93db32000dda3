"""Mail that goes out is signed where a key is named, and a key that cannot sign is refused before anything starts."""

from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notifier.app.service import Service
from notifier.domain.errors import ConfigurationError
from notifier.mail.dkim import read_key
from notifier.settings import Settings
from tests.acceptance.conftest import House, MakeHouse


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The setting, for two keys of one domain."""
    folder = tmp_path_factory.mktemp("keys")
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "r").write_bytes(generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*form))
    (folder / "e").write_bytes(Ed25519PrivateKey.generate().private_bytes(*form))
    return ", ".join(f"example.com:{name}:{folder / name}" for name in ("r", "e"))


def good(raw: bytes, keys: str) -> list[bool]:
    known = {f"{key.name}.".encode(): key.record.encode() for key in map(read_key, keys.split(", "))}
    count = raw.count(b"DKIM-Signature:")
    return [dkim.DKIM(raw).verify(n, dnsfunc=lambda name, **_: known.get(name)) for n in range(count)]


async def raw(house: House, **fields: object) -> bytes:
    taken = await house.send(**fields)
    await house.final(taken["id"])
    return next(mail.raw for mail in house.capture.messages if taken["id"].encode() in mail.raw)


async def test_mail_is_signed_for_its_senders_domain(make_house: MakeHouse, keys: str) -> None:
    house = await make_house(NOTIFIER_DKIM_KEYS=keys)
    assert good(await raw(house), keys) == [True, True]
    assert good(await raw(house, **{"from": "shop@mail.example.com"}), keys) == [True, True]
    assert good(await raw(house, **{"from": "shop@example.org"}), keys) == []


async def test_unsubscribing_is_signed_with_it(make_house: MakeHouse, keys: str) -> None:
    house = await make_house(NOTIFIER_DKIM_KEYS=keys, NOTIFIER_PUBLIC_URL="https://mail.shop.example")
    body = {"parts": {"subject.txt": "News", "body.txt": "."}, "settings": {"category": "news", "unsubscribe": True}}
    await house.http.put("/v1/templates/news", params={"publish": True}, json=body)
    sent = await raw(house, template="news", data={})
    assert good(sent, keys) == [True, True]
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in sent
    for this, that in ((b"One-Click", b"No-Click"), (b"mail.shop.example", b"evil.example")):
        assert good(sent.replace(this, that), keys) == [False, False]


async def test_what_staging_gets_is_signed_as_it_goes_out(make_house: MakeHouse, keys: str) -> None:
    house = await make_house(NOTIFIER_DKIM_KEYS=keys, NOTIFIER_REDIRECT_ALL_TO="staging@example.org")
    sent = await raw(house)
    assert b"To: staging@example.org" in sent
    assert good(sent, keys) == [True, True]


async def test_without_a_key_nothing_is_signed(house: House) -> None:
    assert b"DKIM-Signature" not in await raw(house)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_wrong_key_file_is_refused_at_start_by_the_settings_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    given = {"NOTIFIER_DKIM_KEYS": f"example.com:s:{tmp_path}/key.pem", "MAIL_SERVER": "127.0.0.1"}
    with pytest.raises(ConfigurationError, match=r"NOTIFIER_DKIM_KEYS: .*key\.pem is not a private key"):
        Service(Settings.model_validate(given))
