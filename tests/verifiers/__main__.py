"""Our signatures before verifiers of another language: DKIM before mailauth, webhooks before svix (both from npm).

    python -m tests.verifiers

What we signed must be accepted, what was changed on the way refused. Exit code 1 if one is not.
"""

import asyncio
import base64
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from notifier.domain.notification import Address
from notifier.domain.webhook import Secret, Webhook, new_secret
from notifier.mail.dkim import Dkim, DkimKey
from notifier.mail.mime import Message, build
from notifier.webhooks.courier import send
from notifier.webhooks.networks import Networks
from notifier.webhooks.transport import Http
from tests.acceptance.feedback.conftest import Endpoint

PACKAGES = ("mailauth@4.13.3", "svix@1.99.1")


def mails(keys: list[DkimKey]) -> list[dict[str, str]]:
    headers = {
        "List-Unsubscribe": "<https://mail.shop.example/unsubscribe/" + "a" * 200 + ">",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    message = Message(
        Address("shop@example.com", "Zoë, the shop"), (Address("zoe@example.net"),), "Grüße an alle, " * 9,
        "<a@x.test>", datetime.now(UTC), text="Dear Zoë,\n\n  two  spaces and a tab\t \n",
        html="<p>Dear Zoë</p>", headers=headers,
    )  # fmt: skip
    raw = Dkim(keys).signed(build(message), message.sender.email, message.date)
    cases = {
        "as we signed it": raw,
        "another body": raw.replace(b"--\r\n", b"--\r\nPS: pay to this account\r\n"),
        "another reader": raw.replace(b"zoe@example.net", b"max@example.net"),
        "another link": raw.replace(b"<https://mail.shop.example", b"<https://evil.example"),
        "a second From": raw.replace(b"From: ", b"From: evil@example.org\r\nFrom: ", 1),
    }
    assert len(set(cases.values())) == len(cases)
    kinds = [f"{key.kind}-sha256" for key in keys]
    return [
        {
            "name": name,
            "raw": base64.b64encode(octets).decode(),
            "wanted": ", ".join(f"{kind} {'refused' if n else 'pass'}" for kind in kinds),
        }
        for n, (name, octets) in enumerate(cases.items())
    ]


async def webhooks() -> list[dict[str, Any]]:
    """What a request of ours really carries, and what somebody else might make of it."""
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.port = server.sockets[0].getsockname()[1]
    secrets = new_secret(), new_secret()
    hook = Webhook("w", "default", endpoint.url, (), (), tuple(map(Secret, secrets)), datetime.now(UTC))
    http = Http(Networks(["127.0.0.0/8"]))
    body = json.dumps({"type": "email.sent", "data": {"recipient": "zoë@example.com"}}).encode()
    answer = await send(http, hook, "evt_0-17", body, datetime.now(UTC))
    assert answer.taken, answer
    await http.aclose()
    server.close()
    await endpoint.left.wait()
    one = endpoint.received[0]
    told = one.body.decode()
    given = {"body": told, "headers": one.headers}
    later = str(int(one.headers["webhook-timestamp"]) + 1)
    return [
        {"name": "the newer secret", **given, "secret": secrets[0], "wanted": "pass"},
        {"name": "the secret before", **given, "secret": secrets[1], "wanted": "pass"},
        {"name": "somebody else's secret", **given, "secret": new_secret(), "wanted": "refused"},
        {"name": "another body", **given, "body": told + " ", "secret": secrets[0], "wanted": "refused"},
        {"name": "another id", **given, "headers": {**one.headers, "webhook-id": "evt_0-18"}, "secret": secrets[0],
         "wanted": "refused"},
        {"name": "another time", **given, "headers": {**one.headers, "webhook-timestamp": later}, "secret": secrets[0],
         "wanted": "refused"},
    ]  # fmt: skip


def main() -> int:
    keys = [
        DkimKey("example.com", "r2026", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        DkimKey("example.com", "e2026", Ed25519PrivateKey.generate()),
    ]
    to_judge = {
        "records": {key.name: key.record for key in keys},
        "mails": mails(keys),
        "webhooks": asyncio.run(webhooks()),
    }
    with tempfile.TemporaryDirectory() as folder:
        install = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", *PACKAGES]
        subprocess.run(install, check=True)
        script = Path(__file__).with_name("verify.mjs")
        command = ["node", str(script), f"{folder}/node_modules/"]
        return subprocess.run(command, input=json.dumps(to_judge), text=True, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
