"""/unsubscribe/{token}: where readers say stop. Looking at it changes nothing, because scanners of links look, too.

The page speaks the language of the mail that the link stood in; where that mail is not known any more, that of the
browser.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from notifier.domain.feedback import Feedback
from notifier.domain.notification import Notification
from notifier.domain.unsubscribe import Stop
from notifier.web.services import Services, services_of

router = APIRouter(include_in_schema=False)

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "vary": "accept-language",
    "x-robots-tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem }}
button {{ font: inherit; padding: .5rem 1.5rem }}</style>
<h1>{title}</h1>
{text}
</html>
"""


@dataclass(frozen=True, slots=True)
class _Words:
    """A page's sentences, with places for the category and the address."""

    ask: str
    button: str
    question: str
    done: str
    told: str
    lost: str
    advice: str


_WORDS: Final[Mapping[str, _Words]] = {
    "en": _Words(
        "Unsubscribe",
        "Unsubscribe",
        "Stop mail about {category} to {address}?",
        "Unsubscribed",
        "{address} gets no more mail about {category}.",
        "This link does not work",
        "It was cut off on its way, or it is not one of ours. Try the one in the mail itself.",
    ),
    "fr": _Words(
        "Se désabonner",
        "Me désabonner",
        "Ne plus envoyer de messages « {category} » à {address} ?",
        "Désabonnement effectué",
        "{address} ne recevra plus de messages « {category} ».",
        "Ce lien ne fonctionne pas",
        "Il a été coupé en chemin, ou n’est pas des nôtres. Essayez celui du message lui-même.",
    ),
    "de": _Words(
        "Abmelden",
        "Abmelden",
        "Keine Nachrichten zu {category} mehr an {address} senden?",
        "Abgemeldet",
        "{address} erhält keine Nachrichten zu {category} mehr.",
        "Dieser Link funktioniert nicht",
        "Er wurde unterwegs abgeschnitten oder stammt nicht von uns. Bitte nehmen Sie den in der Nachricht selbst.",
    ),
    "es": _Words(
        "Darse de baja",
        "Darme de baja",
        "¿Dejar de enviar mensajes sobre {category} a {address}?",
        "Baja confirmada",
        "{address} no recibirá más mensajes sobre {category}.",
        "Este enlace no funciona",
        "Se cortó por el camino o no es nuestro. Pruebe el que está en el propio mensaje.",
    ),
}


@router.get("/unsubscribe/{token}", operation_id="unsubscribe_page")
async def page(request: Request, token: str) -> Response:
    """Asks whether one really wants to."""
    services = services_of(request)
    stop = _read(services, token)
    if stop is None:
        return _lost(request)
    mail = await _mail(services, stop)
    language = _language(request, mail)
    words = _WORDS[language]
    form = f'<form method="post"><button>{words.button}</button></form>'
    return _html(language, words.ask, f"{_sentence(words.question, stop, mail)}\n{form}")


@router.post("/unsubscribe/{token}", operation_id="unsubscribe")
async def unsubscribe(request: Request, token: str) -> Response:
    """Stops it at once: by the mail program's one click (RFC 8058), or by the button of the page."""
    services = services_of(request)
    stop = _read(services, token)
    if stop is None:
        return _lost(request)
    one_click = (await request.body()).strip() == b"List-Unsubscribe=One-Click"
    said = Feedback(
        "unsubscribed",
        "one-click" if one_click else "page",
        notification=stop.notification,
        address_keys=(stop.address_key,),
        scope=stop.category,
        trusted=True,
    )
    services.heard(said, await services.store.hear(said))
    mail = await _mail(services, stop)
    language = _language(request, mail)
    words = _WORDS[language]
    return _html(language, words.done, _sentence(words.told, stop, mail))


def _read(services: Services, token: str) -> Stop | None:
    return services.links.read(token) if services.links else None


async def _mail(services: Services, stop: Stop) -> Notification | None:
    record = (await services.store.records([stop.notification])).get(stop.notification)
    return record.notification if record else None


def _language(request: Request, mail: Notification | None = None) -> str:
    """The first that there are words for."""
    wanted = [mail.words, mail.locale] if mail else []
    for tag in (*wanted, *_accepted(request.headers.get("accept-language", ""))):
        language = (tag or "").replace("_", "-").partition("-")[0].lower()
        if language in _WORDS:
            return language
    return "en"


def _accepted(header: str) -> Iterator[str]:
    """Accept-Language (RFC 9110 12.5.4) in its own order, which is that of liking in every browser."""
    for entry in header.split(",")[:20]:
        yield entry.partition(";")[0].strip()


def _sentence(text: str, stop: Stop, mail: Notification | None) -> str:
    """With who wrote the mail, in its own words, above it."""
    sender = f"{escape(mail.sender.name or mail.sender.email)}<br>" if mail else ""
    said = text.format(category=f"<b>{escape(stop.category)}</b>", address=escape(stop.address_key))
    return f"<p>{sender}{said}</p>"


def _lost(request: Request) -> Response:
    language = _language(request)
    words = _WORDS[language]
    return _html(language, words.lost, f"<p>{words.advice}</p>", 404)


def _html(language: str, title: str, text: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(language=language, title=title, text=text), status, headers=_HEADERS)
