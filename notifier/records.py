"""The DNS records that mail is judged by: which ones belong there, and what is there (SPF, DKIM, DMARC; the MX of the
address that bounces come to). Asks the system's name servers, or those of the resolver it is given."""

import asyncio
import ipaddress
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import dns.exception
import dns.resolver
from dns.asyncresolver import Resolver

from notifier.mail.dkim import DkimKey

Verdict = Literal["ok", "warning", "failed", "skipped"]
StepName = Literal["records", "spf", "dkim", "dmarc", "mx"]

_PATIENCE: Final = 5.0  # seconds for a question
_RELAYS: Final = (
    (".amazonaws.com", "include:amazonses.com"),
    (".mailgun.org", "include:mailgun.org"),
    (".postmarkapp.com", "include:spf.mtasv.net"),
    (".sendgrid.net", "include:sendgrid.net"),
    (".brevo.com", "include:spf.brevo.com"),
    (".sparkpostmail.com", "include:_spf.sparkpostmail.com"),
    (".gmail.com", "include:_spf.google.com"),
    (".google.com", "include:_spf.google.com"),
    (".office365.com", "include:spf.protection.outlook.com"),
    (".outlook.com", "include:spf.protection.outlook.com"),
)
"""What relays for hire want to be named by, as they document it."""
_PRIVATE: Final = re.compile(
    r"^\.[^.]+$|\.(?:example|test|invalid|localhost|local|internal|lan|home\.arpa|example\.(?:com|net|org))$"
)
"""Single labels and names that the DNS does not have (RFC 2606, RFC 6761, RFC 6762, RFC 8375)."""
_SPF: Final = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_ANYBODY: Final = re.compile(r"(?:^| )\+?all(?: |$)", re.IGNORECASE)
_ASKS: Final = re.compile(r"(?:^| )[+?~-]?(?:include:|a\b|mx\b|ptr\b|exists:|redirect=)", re.IGNORECASE)
_MOST_ASKED: Final = 10  # look-ups of one SPF record, RFC 7208 4.6.4


@dataclass(frozen=True, slots=True)
class Sending:
    """How mail goes out: from which domain, under which domain of the envelope (whose SPF counts), through which
    relay, signed by which keys. `bounces` is the domain that bounces are to come to by themselves."""

    domain: str
    envelope: str
    relay: str | None
    keys: Sequence[DkimKey] = ()
    bounces: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one record: what was found, and what to do, which names the record to set."""

    step: StepName
    verdict: Verdict
    said: str
    advice: str = ""


class _Unreachable(Exception):
    """No name server answers, or none that knows the world."""


async def examine(sending: Sending, resolver: Resolver | None = None) -> AsyncIterator[Finding]:
    """A finding for each record. Where no name server can be asked, all are skipped, and say what belongs there."""
    if _PRIVATE.search(f".{sending.domain}"):
        said = f"nobody can be asked about {sending.domain}, which is for examples or for one network"
        yield Finding("records", "skipped", said)
        return
    try:
        asked = _Names(resolver or Resolver())
        await _known(asked, sending.domain)
        found = await asyncio.gather(
            _spf(asked, sending),
            *(_dkim(asked, key) for key in sending.keys),
            _dmarc(asked, sending),
            _mx(asked, sending),
        )
    except (_Unreachable, dns.resolver.NoResolverConfiguration) as error:
        why = f"not checked, for the DNS cannot be asked from here: {error}"
        for step, record in wanted(sending):
            yield Finding(step, "skipped", why, f"set {record}")
        return
    for finding in found:
        if finding is not None:
            yield finding


def wanted(sending: Sending) -> list[tuple[StepName, str]]:
    """The records to set, as a line of a zone file each."""
    records: list[tuple[StepName, str]] = [("spf", _txt(sending.envelope, f"v=spf1 {_named(sending)} ~all"))]
    records += [("dkim", _txt(key.name, key.record)) for key in sending.keys]
    records.append(("dmarc", _txt(f"_dmarc.{sending.domain}", _DMARC)))
    if sending.bounces:
        records.append(("mx", f"{sending.bounces}. MX 10 (the machine that listens at NOTIFIER_BOUNCE_PORT)"))
    return records


_DMARC: Final = "v=DMARC1; p=none"
_UNKNOWN: Final = "ip4:ADDRESS-THAT-THE-RELAY-SENDS-FROM"


def _named(sending: Sending) -> str:
    """How an SPF record names the relay: as its provider wants to be, else by its name or address. A relay that is
    this machine's or this network's affair has some address outside that is not known here."""
    relay = (sending.relay or "").strip("[]").lower()
    try:
        ip = ipaddress.ip_address(relay)
    except ValueError:
        named = next((text for ending, text in _RELAYS if f".{relay}".endswith(ending)), f"a:{relay}")
        return named if "." in relay else _UNKNOWN
    return f"ip{ip.version}:{ip}" if ip.is_global else _UNKNOWN


def _txt(name: str, value: str) -> str:
    """Strings of a TXT record have at most 255 octets (RFC 1035 3.3.14)."""
    return f"{name}. TXT " + " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))


class _Names:
    """The name servers."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def texts(self, name: str) -> list[str]:
        """The TXT records of a name, each in one piece. Raises _Unreachable."""
        return [b"".join(one.strings).decode("utf-8", "replace") for one in await self._ask(name, "TXT")]

    async def has(self, name: str, *types: str) -> bool:
        """Whether there is a record of one of the types."""
        for type_ in types:
            if await self._ask(name, type_):
                return True
        return False

    async def _ask(self, name: str, type_: str) -> Sequence[dns.resolver.Answer]:
        try:
            answer = await self._resolver.resolve(name, type_, lifetime=_PATIENCE, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return ()
        except (dns.exception.DNSException, OSError) as error:
            raise _Unreachable(str(error).partition("\n")[0][:150] or type(error).__name__) from error
        return tuple(answer)


async def _known(names: _Names, domain: str) -> None:
    """Raises _Unreachable where the domain is in no zone: the name servers of a closed network know nothing of it, and
    what they do not know is not missing."""
    parts = domain.split(".")
    for n in range(len(parts) - 1):
        if await names.has(".".join(parts[n:]), "SOA"):
            return
    raise _Unreachable(f"the name servers here do not know {domain} at all")


# ------------------------------------------------------------------------------------------------------- the records


async def _spf(names: _Names, sending: Sending) -> Finding:
    """RFC 7208: who may send mail whose envelope is from the domain."""
    domain = sending.envelope
    found = [text for text in await names.texts(domain) if _SPF.match(text)]
    wanted = _txt(domain, f"v=spf1 {_named(sending)} ~all")
    if not found:
        return Finding("spf", "warning", f"{domain} has no SPF record", f"set {wanted}")
    if len(found) > 1:
        return Finding("spf", "failed", f"{domain} has {len(found)} SPF records, so none counts", "put them into one")
    (text,) = found
    if _ANYBODY.search(text):
        return Finding("spf", "failed", f"{domain} lets everybody send: {text}", "end it with ~all or -all")
    if (asked := len(_ASKS.findall(text))) > _MOST_ASKED:
        return Finding("spf", "failed", f"{domain} makes readers ask {asked} times; they stop at {_MOST_ASKED}", text)
    named = _named(sending)
    if named != _UNKNOWN and named.partition(":")[2].lower() not in text.lower():
        advice = f"see that it covers the relay: {named}, or as its provider says"
        return Finding("spf", "warning", f"{domain} does not name {sending.relay}: {text}", advice)
    return Finding("spf", "ok", f"{domain}: {text}")


async def _dkim(names: _Names, key: DkimKey) -> Finding:
    """RFC 6376 3.6.1: is the public key that readers find the one of our private key?"""
    found = await names.texts(key.name)
    tags = [_tags(text) for text in found]
    ours = _tags(key.record)
    set_it = f"set {_txt(key.name, key.record)}"
    if not found:
        return Finding("dkim", "failed", f"{key.name} has no record: signatures are for nobody", set_it)
    if any(there.get("p") == ours["p"] and there.get("k", "rsa") == ours["k"] for there in tags):
        if len(found) > 1:
            return Finding("dkim", "warning", f"{key.name} has {len(found)} records; readers may take any", "keep one")
        return Finding("dkim", "ok", f"{key.name} has the {key.kind} key that signs")
    if any(there.get("p") == "" for there in tags):
        return Finding("dkim", "failed", f"{key.name} says that this key was revoked", set_it)
    return Finding("dkim", "failed", f"{key.name} has another key than the one that signs", set_it)


async def _dmarc(names: _Names, sending: Sending) -> Finding:
    """RFC 7489: is what SPF or DKIM vouch for the domain that the reader sees, and what becomes of mail that is not?"""
    set_it = f"set {_txt(f'_dmarc.{sending.domain}', _DMARC)}"
    parts = sending.domain.split(".")
    for n in range(len(parts) - 1):
        at = ".".join(parts[n:])
        found = [text for text in await names.texts(f"_dmarc.{at}") if _tags(text).get("v") == "DMARC1"]
        if len(found) > 1:
            return Finding("dmarc", "failed", f"_dmarc.{at} has {len(found)} records, so none counts", "keep one")
        if found:
            return _judge(sending, at, found[0])
    return Finding("dmarc", "warning", f"{sending.domain} has no DMARC record", set_it)


def _judge(sending: Sending, at: str, text: str) -> Finding:
    tags = _tags(text)
    policy = (tags.get("sp") if at != sending.domain else None) or tags.get("p", "none")
    if policy not in ("none", "quarantine", "reject"):
        return Finding(
            "dmarc", "failed", f"_dmarc.{at} has no policy p=: {text}", f"set {_txt(f'_dmarc.{at}', _DMARC)}"
        )
    by_spf = _aligned(sending.domain, sending.envelope, at, strict=tags.get("aspf") == "s")
    signing = {key.domain for key in sending.keys}
    by_dkim = any(_aligned(sending.domain, domain, at, strict=tags.get("adkim") == "s") for domain in signing)
    ways = " and ".join(way for way, good in (("SPF", by_spf), ("DKIM", by_dkim)) if good)
    if ways:
        return Finding("dmarc", "ok", f"{sending.domain} is vouched for by {ways}: {text}")
    said = f"neither {sending.envelope} nor a key of ours vouches for {sending.domain}: {text}"
    advice = (
        "name a key of it in NOTIFIER_DKIM_KEYS, let the relay sign for it, or take a NOTIFIER_BOUNCE_ADDRESS below it"
    )
    return Finding("dmarc", "warning" if policy == "none" else "failed", said, advice)


async def _mx(names: _Names, sending: Sending) -> Finding | None:
    if sending.bounces is None:
        return None
    if await names.has(sending.bounces, "MX", "A", "AAAA"):
        return Finding("mx", "ok", f"{sending.bounces} has a server for its mail")
    (record,) = [record for step, record in wanted(sending) if step == "mx"]
    return Finding("mx", "failed", f"{sending.bounces} has no server for its mail: no bounce arrives", f"set {record}")


def _aligned(shown: str, vouched: str, at: str, *, strict: bool) -> bool:
    """Relaxed: of one organization, which is taken for what stands above both, or for where the record was found."""
    if strict or shown == vouched:
        return shown == vouched
    if shown.endswith(f".{vouched}") or vouched.endswith(f".{shown}"):
        return True
    return all(f".{domain}".endswith(f".{at}") for domain in (shown, vouched))


def _tags(text: str) -> dict[str, str]:
    """``k=rsa; p=...`` (RFC 6376 3.2). White space in values is none."""
    pairs = (tag.partition("=") for tag in text.split(";") if "=" in tag)
    return {name.strip(): "".join(value.split()) for name, _, value in pairs}
