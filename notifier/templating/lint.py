"""Warnings about a template that compiles: what will surprise its author, its callers or its readers.

Nothing here refuses a template. Sources are looked at where an author can point to a line; the rendered samples are
looked at where only the whole mail shows the fault.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from jinja2 import nodes

from notifier.domain.errors import Fault
from notifier.templating.clients import dropped_css
from notifier.templating.environment import MailEnvironment, escapes
from notifier.templating.inference import part_paths, shape_of
from notifier.templating.syntax import column_of
from notifier.templating.template import Rendered, Template, Variant

MAX_HTML = 102 * 1024
"""Bytes of HTML after which Gmail clips a mail."""
MAX_SUBJECT = 78
"""Characters of a subject that most clients show, and that fit a line of a header (RFC 5322 2.1.1)."""
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
"""When a sample is sent: lint must not change its mind overnight."""

_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_DROPPED = re.compile(r"<(iframe|object|embed|form|script)\b(?![^>]*\bld\+json)", re.IGNORECASE)
"""No mail program of weight runs or frames anything; forms are taken out by many (caniemail.com). JSON-LD is read."""
_LINK = re.compile(r"\b(?:href|src)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_ABSOLUTE = re.compile(r"(?:https?://|mailto:|tel:|sms:|cid:|#|data:image/)", re.IGNORECASE)
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|%\}")


def lint(template: Template) -> tuple[Fault, ...]:
    """Every warning, in the order of files and lines. `field` is ``FILE:LINE:COLUMN``, or the file alone with a
    sample's name in the message where the fault shows only in the rendered mail."""
    found: dict[Fault, None] = {}
    for rule in RULES:
        found.update(dict.fromkeys(rule(template)))
    return tuple(found)


def undefined_and_unused(template: Template) -> Iterator[Fault]:
    """Variables that the contract does not have, and those of the contract that nothing uses."""
    if template.declared is None:
        return
    declared = template.declared.get("properties", {})
    shape = template.shape
    for name, used in sorted(shape.properties.items()):
        if name not in declared and used.uses:
            yield Fault(str(used.uses[0]), "undefined", f"{name!r} is not in schema.json")
    for name in declared:
        if name not in shape.properties:
            yield Fault(f"{template.name}/schema.json:1:1", "unused", f"{name!r} is in schema.json and nothing uses it")


def samples(template: Template) -> Iterator[Fault]:
    """Samples that are refused, in any locale."""
    if not template.samples:
        yield Fault(
            f"{template.name}/samples/default.json:1:1", "sample", "there is no sample to check and preview with"
        )
    for name, data in template.samples.items():
        for locale in template.locales:
            for fault in template.verdict(data, locale=locale, at=AT).faults:
                yield Fault(f"{template.name}/samples/{name}.json:1:1", "sample", f"{fault.field}: {fault.message}")


def differing_locales(template: Template) -> Iterator[Fault]:
    """Locales whose words need other variables than the root's, and subjects without a body of their own."""
    root, *others = template.variants.values()
    expected = _names(template, root)
    for variant in others:
        names = _names(template, variant)
        where = f"{variant.subject}:1:1"
        for name in sorted(names - expected):
            yield Fault(where, "locale", f"the locale {variant.locale} uses {name!r}, which the root does not")
        for name in sorted(expected - names):
            yield Fault(where, "locale", f"the locale {variant.locale} does not use {name!r}, which the root does")
        own = [path for path in part_paths(variant) if f"/locales/{variant.locale}/" in path.replace("_", "-")]
        bodies = [path for path in own if "/body." in path]
        if any(path.endswith("subject.txt") for path in own) and not bodies and not variant.catalogue.messages:
            yield Fault(where, "locale", f"the locale {variant.locale} has a subject and no body of its own")


def _names(template: Template, variant: Variant) -> set[str]:
    return set(shape_of(template.environment.sources, [variant]).properties)


def unsafe_output(template: Template) -> Iterator[Fault]:
    """`|safe` and `{% autoescape false %}`: whoever sends the data writes the HTML."""
    environment = MailEnvironment(template.environment.sources)
    for path, source in template.environment.sources.items():
        if not escapes(path):
            continue
        tree = environment.parse(source, path, path)
        for switch in tree.find_all(nodes.ScopedEvalContextModifier):
            yield Fault(_at(path, switch), "safe", "autoescape is switched: data may bring HTML")
        for node in tree.find_all(nodes.Filter):
            if node.name == "safe" and not isinstance(node.node, nodes.Const):
                yield Fault(_at(path, node), "safe", "|safe: data may bring HTML")


def _at(path: str, node: nodes.Node) -> str:
    return f"{path}:{int(node.lineno)}:{column_of(node.lineno)}"


def styles(template: Template) -> Iterator[Fault]:
    """CSS that major clients drop."""
    for path, source in template.environment.sources.items():
        if path.endswith(".txt"):
            continue
        for offset, name, clients in dropped_css(source):
            yield Fault(_place(path, source, offset), "css", f"{name} is dropped by {clients}")


def images(template: Template) -> Iterator[Fault]:
    """Images without words for those who do not see them, and without a size for clients that do not load them."""
    for path, source in template.environment.sources.items():
        if not escapes(path):
            continue
        for found in _IMAGE.finditer(_without_quotes_in_tags(source)):
            position = _place(path, source, found.start())
            if re.search(r"\balt\s*=", found[0], re.IGNORECASE) is None:
                yield Fault(position, "alt", 'the image has no alt text (alt="" if it says nothing)')
            if re.search(r"\bwidth\s*=", found[0], re.IGNORECASE) is None:
                yield Fault(position, "size", "the image has no width attribute: Outlook shows it at its full size")


def elements(template: Template) -> Iterator[Fault]:
    """What works in a browser and not in a mail."""
    for path, source in template.environment.sources.items():
        if not escapes(path):
            continue
        for found in _DROPPED.finditer(source):
            message = f"mail programs drop <{found[1].lower()}>, or warn of the mail"
            yield Fault(_place(path, source, found.start()), "element", message)


def _without_quotes_in_tags(source: str) -> str:
    """The source with its expressions blanked, offsets kept: a `>` or a quote in them is none of the HTML."""
    return re.sub(r"\{\{.*?\}\}|\{%.*?%\}", lambda found: "x" * len(found[0]), source, flags=re.DOTALL)


def mails(template: Template) -> Iterator[Fault]:
    """What only the rendered samples show: size, subject, links, left-overs."""
    for name, data in template.samples.items():
        for locale in template.locales:
            rendered = template.verdict(data, locale=locale, at=AT).rendered
            if rendered is not None:
                variant = template.variants[rendered.locale]
                yield from _mail(rendered, variant, f"with the sample {name!r} in {locale}")


def _mail(rendered: Rendered, variant: Variant, when: str) -> Iterator[Fault]:
    body = variant.html or variant.markdown or variant.text or ""
    html = rendered.html or ""
    if len(rendered.subject) > MAX_SUBJECT:
        message = f"the subject has {len(rendered.subject)} characters {when}; {MAX_SUBJECT} are shown"
        yield Fault(f"{variant.subject}:1:1", "subject", message)
    size = len(html.encode())
    if size > MAX_HTML:
        yield Fault(f"{body}:1:1", "size", f"the HTML has {size // 1024} KB {when}; Gmail clips after 102 KB")
    for found in _LINK.finditer(html):
        target = found[1] if found[1] is not None else found[2]
        if not target.strip():
            yield Fault(f"{body}:1:1", "link", f"a link is empty {when}")
        elif _ABSOLUTE.match(target.strip()) is None:
            yield Fault(f"{body}:1:1", "link", f"{target[:60]!r} is no absolute link {when}")
    for part, path in ((rendered.subject, variant.subject), (rendered.text or "", body), (html, body)):
        left = _LEFT_OVER.search(part)
        if left is not None:
            yield Fault(f"{path}:1:1", "leftover", f"{left[0]!r} is left in the mail {when}")


def _place(path: str, source: str, offset: int) -> str:
    return f"{path}:{source.count(chr(10), 0, offset) + 1}:{offset - source.rfind(chr(10), 0, offset)}"


Rule = Callable[[Template], Iterator[Fault]]
RULES: tuple[Rule, ...] = (
    samples, undefined_and_unused, differing_locales, unsafe_output, styles, images, elements, mails
)  # fmt: skip
