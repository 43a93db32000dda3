"""The relay: how it is spoken to, and going through it step by step."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.mail.address import AddressError, check_email
from notifier.web.admin.office import Finding, office_of, services_of
from notifier.web.admin.overview import relay_told
from notifier.web.admin.pages import form_of, page
from notifier.web.admin.sessions import ADMIN, Admin

router = APIRouter()


@router.get("/relay", dependencies=ADMIN)
async def relay(request: Request) -> Response:
    return await _relay_page(request, [], "", None)


async def _relay_page(request: Request, findings: list[Finding], to: str, wrong: str | None) -> Response:
    return page(
        request,
        "relay.html",
        422 if wrong else 200,
        facts=office_of(request).relay(),
        told=relay_told((await services_of(request).readiness()).relay),
        findings=findings,
        to=to,
        wrong=wrong,
    )


@router.post("/relay")
async def test(request: Request, user: Admin) -> Response:
    """Goes through the steps; the last sends a mail, if an address was given."""
    to = (await form_of(request)).get("to", "").strip()
    if to:
        try:
            to = check_email(to)
        except AddressError as error:
            return await _relay_page(request, [], to, f"{to} is not an address: {error.reason}")
    await office_of(request).note(user.name, "relay.test", to, {})
    findings = [finding async for finding in office_of(request).test_relay(to or None)]
    return await _relay_page(request, findings, to, None)
