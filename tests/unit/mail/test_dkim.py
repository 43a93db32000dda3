"""Signatures that readers' servers accept, by dkimpy's verifier (`make verifiers` asks another one), and what they are
worth: nothing that a reader sees can be changed on the way."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.notification import Address, Attachment
from notifier.mail.dkim import Dkim, DkimKey, read_key, relaxed_body
from notifier.mail.mime import Message, build

AT = datetime(2026, 1, 30, 8, 12, 44, tzinfo=UTC)
MESSAGE = Message(
    sender=Address("shop@example.com", "Zoë, the shop"),
    to=(Address("zoe@example.net"),),
    subject="Grüße  an alle, " * 12,
    message_id="<a@example.com>",
    date=AT,
    text="Dear Zoë,\n\n  two  spaces, a tab\t, and trailing ones   \n\n\n",
    html="<p>Dear Zoë</p>",
    headers={
        "List-Unsubscribe": f"<https://mail.shop.example/unsubscribe/{'a' * 200}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
    attachments=(Attachment("an  invoice.pdf", "application/pdf;  version=1", b"%PDF" * 500),),
)


@pytest.fixture(scope="module")
def rsa_key() -> DkimKey:
    return DkimKey("example.com", "r2026", rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="module")
def ed25519_key() -> DkimKey:
    return DkimKey("example.com", "e2026", Ed25519PrivateKey.generate())


def records(*keys: DkimKey) -> Callable[..., bytes | None]:
    """A DNS that knows the keys' records and nothing else."""
    known = {f"{key.name}.".encode(): key.record.encode() for key in keys}
    return lambda name, **_: known.get(name)


def good(raw: bytes, *keys: DkimKey) -> list[bool]:
    """Whether dkimpy accepts each of the signatures."""
    found = []
    for n in range(raw.count(b"DKIM-Signature:")):
        try:
            found.append(dkim.DKIM(raw).verify(n, dnsfunc=records(*keys)))
        except dkim.DKIMException:
            found.append(False)
    return found


def signed(*keys: DkimKey, message: Message = MESSAGE, smtputf8: bool = False) -> bytes:
    return Dkim(keys).signed(build(message, smtputf8=smtputf8), message.sender.email, message.date)


def test_another_library_accepts_both_kinds_of_keys(rsa_key: DkimKey, ed25519_key: DkimKey) -> None:
    for keys in ([rsa_key], [ed25519_key], [rsa_key, ed25519_key]):
        assert good(signed(*keys), *keys) == [True] * len(keys)


def test_what_makes_unsubscribing_work_is_signed_too(rsa_key: DkimKey) -> None:
    raw = signed(rsa_key)
    names = re.sub(rb"\s", b"", re.split(rb"; ?\r?\n? ?h=|;\r\n bh=", raw)[1]).split(b":")
    for name in (b"from", b"to", b"subject", b"date"):
        assert names.count(name) == 2, "one of them in vain, so that nobody adds another"
    for name in (b"message-id", b"mime-version", b"content-type", b"list-unsubscribe", b"list-unsubscribe-post"):
        assert name in names


@pytest.mark.parametrize(
    ("this", "that"),
    [
        (b"zoe@example.net", b"max@example.net"),
        (b"From: ", b"From: evil@example.org\r\nFrom: "),
        (b"\r\nTo: ", b"\r\nSubject: Another\r\nTo: "),
        (b"\r\nTo: ", b"\r\nCc: everybody@example.org\r\nTo: "),
        (b"\r\nTo: ", b"\r\nReply-To: evil@example.org\r\nTo: "),
        (b"List-Unsubscribe: <https://mail.shop.example", b"List-Unsubscribe: <https://evil.example"),
        (b"One-Click", b"Two-Click"),
        (b"multipart/mixed", b"multipart/parallel"),
        (b"--\r\n", b"--\r\nPS: pay to this account\r\n"),
        (b"08:12:44", b"08:12:45"),
        (b"d=example.com", b"d=example.org"),
        (b"; t=", b"; l=0; t="),
    ],
)
def test_what_was_changed_on_the_way_is_refused(
    rsa_key: DkimKey, ed25519_key: DkimKey, this: bytes, that: bytes
) -> None:
    raw = signed(rsa_key, ed25519_key)
    changed = raw.replace(this, that)
    assert changed != raw
    assert good(changed, rsa_key, ed25519_key) == [False, False]


def test_what_servers_may_do_to_white_space_does_no_harm(rsa_key: DkimKey) -> None:
    raw = signed(rsa_key)
    refolded = raw.replace(b"\r\nTo: ", b"\r\nTo:\r\n\t ").replace(b"; charset", b";  charset") + b"\r\n\r\n"
    assert refolded != raw
    assert good(refolded, rsa_key) == [True]


def test_the_same_message_gets_the_same_signature(rsa_key: DkimKey, ed25519_key: DkimKey) -> None:
    assert signed(rsa_key, ed25519_key) == signed(rsa_key, ed25519_key)


def test_an_international_message_is_signed_as_it_is(rsa_key: DkimKey) -> None:
    key = replace(rsa_key, domain="xn--bcher-kva.example")
    message = replace(MESSAGE, sender=Address("grüße@bücher.example", "Zoë"))
    assert good(signed(key, message=message, smtputf8=True), key) == [True]


def test_a_key_signs_for_its_domain_and_those_below_it_alone(rsa_key: DkimKey, ed25519_key: DkimKey) -> None:
    below = replace(ed25519_key, domain="news.example.com")
    signer = Dkim([rsa_key, below])
    assert signer.keys_of("shop@EXAMPLE.com") == [rsa_key]
    assert signer.keys_of("shop@mail.example.com") == [rsa_key]
    assert signer.keys_of("shop@de.news.example.com") == [below]
    for stranger in ("shop@example.org", "shop@badexample.com", "shop@com"):
        assert signer.keys_of(stranger) == []
        assert signer.signed(b"From: x\r\n\r\n", stranger, AT) == b"From: x\r\n\r\n"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([b" ", b"\t", b"a", b".", b"\r\n", b"  \r\n"]), max_size=30))
def test_bodies_are_made_canonical_as_dkimpy_makes_them(pieces: list[bytes]) -> None:
    body = b"".join(pieces) + b"\r\n"
    theirs = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed").canonicalize_body(body)
    assert relaxed_body(body) == theirs


def test_no_line_of_a_signature_is_too_long(rsa_key: DkimKey) -> None:
    raw = signed(rsa_key)
    assert max(map(len, raw.partition(b"\r\nFrom:")[0].split(b"\r\n"))) <= 78


# ------------------------------------------------------------------------------------------------------------- keys


def pem(key: dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_keys_are_read_from_files(tmp_path: Path, rsa_key: DkimKey, ed25519_key: DkimKey) -> None:
    for key in (rsa_key, ed25519_key):
        (tmp_path / "key.pem").write_bytes(pem(key.key))
        read = read_key(f"Example.COM:{key.selector}:{tmp_path / 'key.pem'}")
        assert (read.name, read.record, read.kind) == (key.name, key.record, key.kind)
    assert ed25519_key.name == "e2026._domainkey.example.com"
    assert re.fullmatch(r"v=DKIM1; k=ed25519; p=[\w+/]{43}=", ed25519_key.record)


def test_what_is_no_key_is_refused_in_a_sentence(tmp_path: Path) -> None:
    files = {
        "noise": b"-----BEGIN PRIVATE KEY-----\nnoise\n-----END PRIVATE KEY-----\n",
        "curve": pem(ec.generate_private_key(ec.SECP256R1())),
        "locked": Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        ),
        "good": pem(Ed25519PrivateKey.generate()),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for text, reason in {
        "example.com": "is not DOMAIN:SELECTOR:PATH",
        f"example.com:s:{tmp_path}/nowhere": "cannot be read",
        f"example.com:s:{tmp_path}/noise": "is not a private key",
        f"example.com:s:{tmp_path}/locked": "without a passphrase",
        f"example.com:s:{tmp_path}/curve": "neither an RSA nor an Ed25519 key",
        f"exa mple.com:s:{tmp_path}/good": "is no domain",
        f"example.com:a_b:{tmp_path}/good": "is no selector",
    }.items():
        with pytest.raises(ValueError, match=reason):
            read_key(text)
    assert read_key(f"example.com:a.b:{tmp_path}/good").name == "a.b._domainkey.example.com"
