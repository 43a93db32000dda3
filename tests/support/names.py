"""A name server on this machine, with the records it is given."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
from dns.asyncresolver import Resolver

Records = Mapping[tuple[str, str], Sequence[str]]
"""By name and type, in the spelling of zone files: ``{("example.com", "TXT"): ['"v=spf1 -all"']}``."""


class _Server(asyncio.DatagramProtocol):
    def __init__(self, records: Records) -> None:
        self._records = records

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        question = dns.message.from_wire(data)
        (asked,) = question.question
        name = asked.name.to_text(omit_final_dot=True).lower()
        answer = dns.message.make_response(question)
        found = self._records.get((name, dns.rdatatype.to_text(asked.rdtype)))
        if found:
            answer.answer.append(dns.rrset.from_text_list(asked.name, 60, "IN", asked.rdtype, found))
        elif not any(known == name for known, _ in self._records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), address)


@asynccontextmanager
async def name_server(records: Records) -> AsyncIterator[Resolver]:
    """Yields a resolver that asks nobody else."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Server(records), ("127.0.0.1", 0))
    try:
        yield resolver_at(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


def resolver_at(port: int) -> Resolver:
    resolver = Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = port
    return resolver
