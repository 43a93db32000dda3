"""Compile a bundle into a `Template`. About two milliseconds a part: callers keep what they get."""

import hashlib
import json
import mimetypes
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from notifier.domain.errors import Fault
from notifier.domain.notification import Attachment
from notifier.templating.bundle import LOCALE, Bundle, TemplateOptions, locale_chain, locale_tag
from notifier.templating.catalogue import EMPTY, Catalogue, read_catalogue
from notifier.templating.closure import Reach, catalogue_paths, layouts, own_sources, reach
from notifier.templating.contract import Contract, declared_contract
from notifier.templating.environment import MailEnvironment, PartTemplate, escapes, escaping, resolve
from notifier.templating.faults import RenderFailed, TemplateBroken
from notifier.templating.formats import zone
from notifier.templating.inference import shape_of
from notifier.templating.syntax import syntax_fault
from notifier.templating.template import Rendered, Template, Variant, Verdict

_TYPES = mimetypes.MimeTypes()  # its built-in table alone: what a machine has in /etc must not change a mail
_WRAPPER = '{%% extends "%s" %%}{%% block content %%}{{ content }}\n{%% endblock %%}'


def compile_bundle(bundle: Bundle, *, public_url: str | None = None) -> Template:
    """Compile every part of every locale with all that they reach.

    Parameters
    ----------
    bundle
        A version, as `read_folder` or a store gives it.
    public_url
        Where pictures are hosted: `asset()` gives ``PUBLIC_URL/assets/ID/FILENAME``. None makes them inline parts.

    Raises
    ------
    TemplateBroken
        With every fault of every file.
    """
    options = bundle.options
    faults = _option_faults(bundle, options)
    sources = own_sources(bundle.name, bundle.files)
    markdown = [path for path in sources if path.endswith(".md")]
    around = layouts(options.layout, bundle.files) if markdown else []
    wrappers = {_wrapper(path, layout): _WRAPPER % layout for path in markdown for layout in around}
    files = {**bundle.files, **wrappers}
    reached = reach(bundle.name, [*sources, *wrappers], files, bundle.assets)
    faults += reached.faults
    environment = MailEnvironment({path: files[path] for path in reached.readings})
    faults += _compile(environment, reached)
    variants, found = _variants(bundle, options, around, reached)
    faults += found
    declared = _declared(bundle, faults)
    samples = _samples(bundle, faults)
    inline_css = _inliner(bundle.name, faults) if options.inline_css else None
    if faults:
        raise TemplateBroken(bundle.name, faults)
    assets = {name: _attachment(path, bundle.assets[path]) for name, path in reached.assets.items()}
    return Template(
        bundle,
        environment,
        variants,
        samples,
        assets,
        declared=declared,
        infer=lambda: shape_of(environment.sources, variants.values()),
        inline_css=inline_css,
        public_url=public_url,
    )


def _option_faults(bundle: Bundle, options: TemplateOptions) -> list[Fault]:
    try:
        zone(options.timezone)
    except ValueError as error:
        return [Fault(f"{bundle.name}/template.toml:1:1", "timezone", str(error))]
    return []


def _wrapper(part: str, layout: str) -> str:
    """The name of the generated file that puts a Markdown part into a layout; its ending decides on escaping."""
    return f"{part}+{layout.rpartition('/')[2]}"


def _compile(environment: MailEnvironment, reached: Reach) -> list[Fault]:
    """Compile every tree that was parsed; what the compiler alone finds comes back as faults. A text file that HTML
    may include is compiled a second time, escaping: what data brings is escaped by where it ends up."""
    faults: list[Fault] = []
    included = {
        resolve(name, path, environment.sources) for path, one in reached.readings.items() for name, _ in one.files
    }
    for path, reading in reached.readings.items():
        if reading.tree is None or reading.faults:
            continue
        source = environment.sources[path]
        try:
            _add(environment, path, reading.tree)
            if path in included and not escapes(path):
                _add(environment, escaping(path), environment.parse(source, path, path))
        except TemplateSyntaxError as error:
            faults.append(syntax_fault(error, path, source))
        except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
            # Python's own compiler: too many nested blocks or parentheses, numbers that are too long
            faults.append(Fault(f"{path}:1:1", "syntax", f"cannot be compiled: {error}"))
    return faults


def _add(environment: MailEnvironment, name: str, tree: nodes.Template) -> None:
    code = environment.compile(tree, name, name)
    environment.compiled[name] = cast("PartTemplate", PartTemplate.from_code(environment, code, environment.globals))


def _variants(
    bundle: Bundle, options: TemplateOptions, around: list[str], reached: Reach
) -> tuple[dict[str, Variant], list[Fault]]:
    """The files of each locale, the root's first, and what keeps one from being a mail."""
    faults: list[Fault] = []
    written = {
        match[1]
        for path in bundle.files
        if (match := re.fullmatch(rf"{re.escape(bundle.name)}/locales/([^/]+)/.+", path))
    }
    catalogues = catalogue_paths(bundle.name, bundle.files) if reached.translates else {}
    root = locale_tag(options.locale)
    folders: dict[str, str] = {}
    for folder in sorted(written | set(catalogues)):
        if LOCALE.fullmatch(folder) is None:
            faults.append(Fault(f"{bundle.name}/locales/{folder}:1:1", "locale", f"{folder!r} is not a locale"))
        else:
            folders[locale_tag(folder)] = folder
    variants: dict[str, Variant] = {}
    for tag in (root, *(tag for tag in folders if tag != root)):
        chain = [folders[step] for step in locale_chain(tag) if step in folders]
        catalogue = _catalogue(chain, catalogues, bundle.files, faults)
        variant = _variant(bundle, tag, [f"locales/{folder}/" for folder in chain] + [""], around, catalogue)
        if isinstance(variant, Fault):
            faults.append(variant)
        else:
            variants[tag] = variant
    return variants, list(dict.fromkeys(faults))


def _variant(bundle: Bundle, tag: str, levels: list[str], around: list[str], catalogue: Catalogue) -> Variant | Fault:
    """File by file from the nearest level that has it. A text body that is further away than the HTML is in another
    language: then the text is derived from the HTML."""

    def nearest(part: str) -> tuple[int, str | None]:
        for level, prefix in enumerate(levels):
            path = f"{bundle.name}/{prefix}{part}"
            if path in bundle.files:
                return level, path
        return len(levels), None

    _, subject = nearest("subject.txt")
    _, preheader = nearest("preheader.txt")
    html_level, html = nearest("body.html")
    text_level, text = nearest("body.txt")
    markdown_level, markdown = nearest("body.md")
    if subject is None:
        return Fault(f"{bundle.name}/subject.txt:1:1", "part", "there is no subject.txt")
    if html is None and text is None and markdown is None:
        return Fault(f"{bundle.name}/body.html:1:1", "part", "there is no body.html, body.txt or body.md")
    if html_level <= markdown_level:
        markdown = None
    else:
        html = None
    if min(html_level, markdown_level) < text_level:
        text = None
    wrap = {layout.rpartition(".")[2]: _wrapper(markdown, layout) for layout in around} if markdown else {}
    return Variant(tag, subject, preheader, html, text, markdown, wrap.get("html"), wrap.get("txt"), catalogue)


def _catalogue(
    chain: list[str], catalogues: Mapping[str, list[str]], files: Mapping[str, str], faults: list[Fault]
) -> Catalogue:
    """The catalogues of a locale, nearest first, as one chain."""
    found: Catalogue | None = None
    for path in reversed([path for folder in chain for path in catalogues.get(folder, ())]):
        read = read_catalogue(path, files[path], found)
        if isinstance(read, Fault):
            faults.append(read)
        else:
            found = read
    return found or EMPTY


def _declared(bundle: Bundle, faults: list[Fault]) -> Contract | None:
    path = f"{bundle.name}/schema.json"
    if path not in bundle.files:
        return None
    schema = _json(path, bundle.files[path], faults)
    if schema is None:
        return None
    contract = declared_contract(schema)
    if isinstance(contract, str):
        faults.append(Fault(f"{path}:1:1", "schema", contract))
        return None
    return contract


def _samples(bundle: Bundle, faults: list[Fault]) -> dict[str, dict[str, Any]]:
    samples = {}
    for path, text in bundle.files.items():
        match = re.fullmatch(rf"{re.escape(bundle.name)}/samples/([^/]+)\.json", path)
        if match is not None and (sample := _json(path, text, faults)) is not None:
            samples[match[1]] = sample
    return samples


def _json(path: str, text: str, faults: list[Fault]) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        faults.append(Fault(f"{path}:{error.lineno}:{error.colno}", "syntax", error.msg))
        return None
    except (RecursionError, ValueError) as error:
        faults.append(Fault(f"{path}:1:1", "syntax", str(error)))
        return None
    if not isinstance(value, dict):
        faults.append(Fault(f"{path}:1:1", "type", "must be a JSON object"))
        return None
    return value


def _inliner(name: str, faults: list[Fault]) -> Callable[[str], str] | None:
    """css-inline, which is an optional install: without it a template that asks for it is refused, not changed."""
    try:
        import css_inline
    except ImportError:
        faults.append(Fault(f"{name}/template.toml:1:1", "inline_css", "inline_css needs the package css-inline"))
        return None
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=True)
    return lambda html: str(inliner.inline(html))


def _attachment(path: str, content: bytes) -> Attachment:
    """An asset as an inline part (RFC 2392). Its Content-ID comes from its bytes, so it is the same everywhere."""
    filename = path.rpartition("/")[2]
    content_type = _TYPES.guess_type(filename)[0] or "application/octet-stream"
    identity = hashlib.sha256(content).hexdigest()[:32]
    return Attachment(filename, content_type, content, f"{identity}@assets.notifier")


__all__ = ["RenderFailed", "Rendered", "Template", "TemplateBroken", "Verdict", "compile_bundle"]
