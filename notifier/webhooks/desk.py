"""What the front door asks about endpoints: whether a URL may be one, and what it answers to a trial."""

import ipaddress
import json
from datetime import UTC, datetime

import httpx2 as httpx

from notifier.domain.notification import uuid7
from notifier.domain.times import rfc3339
from notifier.domain.webhook import Answer, Webhook
from notifier.webhooks.courier import send
from notifier.webhooks.networks import Networks
from notifier.webhooks.transport import Http


class Desk:
    """`allow_http` lets plain HTTP through, for networks of one's own."""

    def __init__(self, http: Http, networks: Networks, *, allow_http: bool) -> None:
        self._http = http
        self._networks = networks
        self._allow_http = allow_http

    def objection(self, url: str) -> str | None:
        """Why a URL can be no endpoint, as far as it tells; where its name leads is looked at with each request."""
        try:
            parsed = httpx.URL(url)
            port = parsed.port
        except (httpx.InvalidURL, ValueError) as error:
            return f"is not a URL: {error}"
        if parsed.scheme != "https" and not (self._allow_http and parsed.scheme == "http"):
            return "must start with https://"
        if not parsed.host or (port is not None and not 0 < port < 65536):
            return "names no server"
        if parsed.userinfo or parsed.fragment:
            return "must have no user, no password and no #"
        host = parsed.host.strip("[]")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return None
        return None if self._networks.may_reach(host) else "is at an address that is not of the public internet"

    async def try_out(self, hook: Webhook) -> Answer:
        """Sends an event of the type `webhook.test` now, once."""
        now = datetime.now(UTC)
        id_ = uuid7()
        told = {"type": "webhook.test", "timestamp": rfc3339(now), "data": {"id": id_, "webhook": hook.id}}
        return await send(self._http, hook, f"evt_{id_}", json.dumps(told).encode(), now)
