"""Signing in and out, and one's own password."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from notifier.domain.admin import User
from notifier.web.admin.office import BASE, Office, office_of
from notifier.web.admin.pages import form_of, go, page, span
from notifier.web.admin.passwords import LONGEST, SHORTEST, hash_password, is_password
from notifier.web.admin.sessions import FIRST, Viewer, begin, end, session_hash, signed_in, take_link

router = APIRouter()


@router.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    if await signed_in(request):
        return go("/")
    return page(request, "sign-in.html", then=_inside(request.query_params.get("then")), name="", wrong=None)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    office = office_of(request)
    form = await form_of(request)
    name, then = form.get("name", "").strip().lower()[:320], _inside(form.get("then"))
    who = (f"name:{name}", f"from:{request.client.host if request.client else ''}")
    if wait := office.throttle.wait(*who):
        wrong = f"Too many tries. Try again in {span(wait)}."
        answer = page(request, "sign-in.html", 429, then=then, name=name, wrong=wrong)
        answer.headers["retry-after"] = str(int(wait) + 1)
        return answer
    office.throttle.failed(*who)  # taken before the work is done, and given back: tries at once count, too
    user = await _known(office, name, form.get("password", ""))
    if user is None:
        await office.note(name or "(nobody)", "session.refused", name, {})
        wrong = "This name and password do not belong together."
        return page(request, "sign-in.html", 401, then=then, name=name, wrong=wrong)
    office.throttle.succeeded(*who)
    return await _let_in(request, user, then, "password")


async def _known(office: Office, name: str, password: str) -> User | None:
    found = await office.store.find_user(name)
    user, hashed = found if found else (None, None)
    good = await is_password(hashed, password)
    return user if good and user is not None and user.disabled_at is None else None


async def _let_in(request: Request, user: User, then: str, how: str) -> Response:
    response = RedirectResponse(then, 303)
    await begin(request, response, user)
    await office_of(request).note(user.name, "session.begin", user.name, {"by": how})
    return response


def _inside(path: str | None) -> str:
    """Where to go on: a page of ours, whatever an address says."""
    good = path is not None and path.startswith(f"{BASE}/") and "\\" not in path and path.isprintable()
    return path if good and path is not None else f"{BASE}/"


@router.get("/sign-in/{token}")
async def link_page(request: Request, token: str) -> Response:
    """Looking changes nothing, so that a program that follows links uses none up."""
    return page(request, "link.html", token=token, over=False)


@router.post("/sign-in/{token}")
async def use_link(request: Request, token: str) -> Response:
    user = await take_link(office_of(request), token)
    if user is None:
        return page(request, "link.html", 410, token=token, over=True)
    then = f"{BASE}/" if user.has_password else f"{BASE}/account"
    return await _let_in(request, user, then, "link")


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    response = RedirectResponse(f"{BASE}/sign-in", 303)
    await end(request, response)
    return response


@router.get("/account")
async def account(request: Request, user: Viewer) -> Response:
    return _account_page(request, user, None)


@router.post("/account")
async def set_password(request: Request, user: Viewer) -> Response:
    office = office_of(request)
    if _is_given(office, user):
        return _account_page(request, user, "The settings hold the password of admin: NOTIFIER_ADMIN_PASSWORD.")
    form = await form_of(request)
    password = form.get("password", "")
    found = await office.store.find_user(user.name)
    hashed = found[1] if found else None
    if hashed is not None and not await is_password(hashed, form.get("current", "")):
        return _account_page(request, user, "This is not your password now.")
    if not SHORTEST <= len(password) <= LONGEST:
        return _account_page(request, user, f"A password has at least {SHORTEST} characters.")
    await office.store.set_password(user.id, await hash_password(password), keep=session_hash(request))
    await office.note(user.name, "user.password", user.name, {})
    return go("/account", "password")


def _is_given(office: Office, user: User) -> bool:
    return office.password_is_given and user.name == FIRST


def _account_page(request: Request, user: User, wrong: str | None) -> Response:
    given = _is_given(office_of(request), user)
    return page(request, "account.html", 422 if wrong else 200, wrong=wrong, shortest=SHORTEST, given=given)
