"""/v1/feedback/{provider}: what the relay for hire says became of the mail. Each proves itself in its own way."""

import time
from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import NotFound
from notifier.domain.feedback import Feedback
from notifier.web import providers
from notifier.web.body import parse
from notifier.web.services import services_of
from notifier.web.wire.answers import Json

router = APIRouter(tags=["feedback"])


@router.post("/v1/feedback/{provider}", operation_id="feedback")
async def feedback(request: Request, provider: str) -> Response:
    """Takes bounces, complaints and deliveries of `ses` (through SNS), `mailgun` or `postmark`. What is no news is
    taken, too, and changes nothing."""
    services = services_of(request)
    heard = await _heard(services.providers, provider, request)
    changed = []
    for one in heard:
        changed.append(await services.store.hear(one))
        services.heard(one, changed[-1])
    services.watch.notice()
    return Json({"object": "feedback", "read": len(heard), "changed": sum(changed)})


async def _heard(known: providers.Providers, provider: str, request: Request) -> Sequence[Feedback]:
    body = await request.body()
    if provider == "ses" and known.ses is not None:
        message = await known.ses.verify(parse(body))  # SNS sends JSON as text/plain
        if message["Type"] == "SubscriptionConfirmation":
            await known.ses.confirm(message)
            return ()
        return providers.ses(message)
    if provider == "mailgun" and known.mailgun_key is not None:
        told = parse(body)
        providers.check_mailgun(told, known.mailgun_key, time.time())
        return providers.mailgun(told)
    if provider == "postmark" and known.postmark_password is not None:
        providers.check_postmark(request.headers.get("authorization"), known.postmark_password)
        return providers.postmark(parse(body))
    raise NotFound(f"feedback of {provider!r} is not set up here: ses, mailgun and postmark can be")
