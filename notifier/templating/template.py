"""Render a bundle: one function for the verdict at the door, the preview, the send and the tests.

A render is a pure function of bundle, data, locale, time zone and `at`. Good data is rendered once, strictly; only
when that fails is it rendered again, collecting, so that one answer names every variable that is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from markupsafe import Markup

from notifier.domain.errors import Fault
from notifier.domain.notification import Attachment
from notifier.templating.budget import MAX_OUTPUT, RUN, Exhausted, Run, spend_work
from notifier.templating.bundle import LOCALE, Bundle, TemplateOptions, locale_chain, locale_tag
from notifier.templating.catalogue import Catalogue
from notifier.templating.contract import Contract
from notifier.templating.diagnosis import data_faults, diagnose, missing_faults
from notifier.templating.environment import MailEnvironment
from notifier.templating.faults import RenderFailed, Unfit
from notifier.templating.formats import locale_name, wall_time, zone
from notifier.templating.links import dead_links
from notifier.templating.markdown import markdown_html
from notifier.templating.shapes import Shape, placed
from notifier.templating.text import html_text, one_line, tidy_text


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's content. `locale` is the one whose words it has (the root's where nothing nearer is there)."""

    subject: str
    text: str | None
    html: str | None
    locale: str
    inline: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with the data (every fault), or the mail that it makes."""

    faults: tuple[Fault, ...]
    rendered: Rendered | None

    @property
    def accepted(self) -> bool:
        return self.rendered is not None


@dataclass(frozen=True, slots=True)
class Variant:
    """The files that one locale renders, by path within the compiled environment."""

    locale: str
    subject: str
    preheader: str | None
    html: str | None
    text: str | None
    markdown: str | None
    markdown_html: str | None
    markdown_text: str | None
    catalogue: Catalogue


class Template:
    """A compiled bundle. Made by `compile_bundle`; safe to share between threads; holds no state of a render."""

    def __init__(
        self,
        bundle: Bundle,
        environment: MailEnvironment,
        variants: Mapping[str, Variant],
        samples: Mapping[str, dict[str, Any]],
        assets: Mapping[str, Attachment],
        *,
        declared: Contract | None,
        infer: Callable[[], Shape],
        inline_css: Callable[[str], str] | None,
        public_url: str | None,
    ) -> None:
        self.bundle = bundle
        self.name = bundle.name
        self.hash = bundle.hash
        self.options: TemplateOptions = bundle.options
        self.environment = environment
        self.variants = variants
        self._root = variants[locale_tag(self.options.locale)]
        self.samples = samples
        self.declared = declared
        self._infer = infer
        self._assets = dict(assets)
        self._inline_css = inline_css
        self._public_url = public_url

    @property
    def locales(self) -> tuple[str, ...]:
        """The locales it has words for, the root's first."""
        return tuple(self.variants)

    @cached_property
    def shape(self) -> Shape:
        """The data as parts, layouts and locales use it, with every place of use."""
        return self._infer()

    @cached_property
    def inferred(self) -> Contract:
        """The contract as the parts show it, open to more, whether or not one is declared."""
        return Contract({"type": "object", "properties": {}, **self.shape.schema()}, declared=False)

    @property
    def contract(self) -> Contract:
        """The declared contract, else the inferred one."""
        return self.declared if self.declared is not None else self.inferred

    def render(
        self, data: Mapping[str, Any], *, locale: str | None = None, timezone: str | None = None, at: datetime
    ) -> Rendered:
        """Render strictly what a verdict accepted: what it looked at in data and links is not looked at again, and
        would come to the same (or, in a newer release, refuse what was accepted).

        Parameters
        ----------
        data
            Plain JSON values under string keys.
        locale
            RFC 5646, or None for the root's; what is not there falls back (`fr-CA`, `fr`, root).
        timezone
            IANA name, or None for the template's.
        at
            The notification's `created_at`, with its offset: what `now` is.

        Raises
        ------
        RenderFailed
            With every fault.
        """
        variant, run = self._run(locale, timezone, at)
        try:
            return self._rendered(data, variant, run)
        except Exception as error:
            faults = self._collected(data, variant, run, (), diagnose(error, data, self.environment.sources))
            raise RenderFailed(self.name, faults) from error

    def verdict(
        self, data: Mapping[str, Any], *, locale: str | None = None, timezone: str | None = None, at: datetime
    ) -> Verdict:
        """Check the data against a declared contract and render it. Never raises for bad data: every fault is in
        the answer, with `data.PATH` as its field and the place in the template in its message."""
        faults = [*_reader_faults(locale, timezone), *data_faults(data)]
        if faults:
            return Verdict(tuple(faults), None)
        refused = self.declared.faults(data) if self.declared is not None else ()
        variant, run = self._run(locale, timezone, at)
        run.judging = True
        if not refused:
            try:
                return Verdict((), self._rendered(data, variant, run))
            except Exception as error:  # noqa: BLE001 - an author's program may raise anything; it is diagnosed below
                first = diagnose(error, data, self.environment.sources)
        else:
            first = None
        return Verdict(self._collected(data, variant, run, refused, first), None)

    def _run(self, locale: str | None, timezone: str | None, at: datetime) -> tuple[Variant, Run]:
        variant, tag = self._variant(locale)
        zone_name = timezone or self.options.timezone
        return variant, Run(
            locale_name(tag), zone_name, at, variant.catalogue, self.name, self._public_url, self._assets
        )

    def _variant(self, locale: str | None) -> tuple[Variant, str]:
        """The variant for a locale, and the locale that numbers and dates are written in: the asked one where the
        words are of its language, else the words' own."""
        if locale is not None:
            for tag in locale_chain(locale):
                if (variant := self.variants.get(tag)) is not None:
                    return variant, locale_tag(locale)
        return self._root, self.options.locale

    def _rendered(self, data: Mapping[str, Any], variant: Variant, run: Run) -> Rendered:
        token = RUN.set(run)
        try:
            values: dict[str, Any] = {
                "locale": variant.locale,
                "timezone": run.timezone,
                "now": wall_time(run.at, run.timezone),
            }
            subject = one_line(self._part(variant.subject, {**values, **data}))
            values["subject"] = subject
            values["preheader"] = ""
            if variant.preheader is not None:
                values["preheader"] = one_line(self._part(variant.preheader, {**values, **data}))
            html, text = self._bodies(variant, {**values, **data}, run)
        finally:
            RUN.reset(token)
        if not subject and not run.collecting:
            raise Unfit("empty", variant.subject, "the subject is empty")
        return Rendered(subject, text, html, variant.locale, tuple(run.inline.values()))

    def _bodies(self, variant: Variant, values: dict[str, Any], run: Run) -> tuple[str | None, str | None]:
        html = text = None
        if variant.markdown is not None:
            content = markdown_html(self._part(variant.markdown, values))
            html, text = str(content), html_text(content)
            if variant.markdown_html is not None:
                html = self._part(variant.markdown_html, {**values, "content": content})
            if variant.markdown_text is not None:
                text = tidy_text(self._part(variant.markdown_text, {**values, "content": text.rstrip("\n")}))
        elif variant.html is not None:
            html = self._part(variant.html, values)
        if html is not None:
            html = self._finished(html, variant, run)
        if variant.text is not None:
            text = tidy_text(self._part(variant.text, values))
        elif html is not None and text is None:
            text = html_text(html)
        if text is not None:
            text.encode()
        return html, text

    def _finished(self, html: str, variant: Variant, run: Run) -> str:
        html.encode()
        if run.judging and (dead := dead_links(html)) is not None:
            raise Unfit("link", variant.html or variant.markdown or "", f"{dead[:60]!r} is a link that runs a program")
        return self._inline_css(html) if self._inline_css is not None else html

    def _part(self, path: str, values: dict[str, Any]) -> str:
        template = self.environment.compiled[path]
        RUN.get().markdown = path.endswith(".md")
        spend_work(len(self.environment.sources[path]))
        text = "".join(template.root_render_func(template.new_context(values)))
        if len(text) > MAX_OUTPUT:
            raise Exhausted(f"a part comes to {len(text)} characters, and {MAX_OUTPUT} is the most")
        return text

    def _collected(
        self, data: Mapping[str, Any], variant: Variant, run: Run, refused: tuple[Fault, ...], first: Fault | None
    ) -> tuple[Fault, ...]:
        """Render every part on, noting what is missing, and tell all of it in one answer."""
        faults = {fault.field: placed(fault, self.shape) for fault in refused}
        paths = [variant.subject, variant.preheader, variant.markdown, variant.html, variant.text]
        paths += [variant.markdown_html, variant.markdown_text]
        others: list[Fault] = [] if first is None else [first]
        values = {"now": wall_time(run.at, run.timezone), "locale": variant.locale, "timezone": run.timezone}
        values |= {"subject": "", "preheader": "", "content": Markup("")}
        for path in paths:
            if path is None:
                continue
            part = Run(
                run.locale, run.timezone, run.at, run.catalogue, run.name, run.public_url, run.files, collecting=True
            )
            token = RUN.set(part)
            try:
                self._part(path, {**values, **data})
            except Exception as error:  # noqa: BLE001 - as above; what was found missing before it still counts
                others.append(diagnose(error, data, self.environment.sources))
            finally:
                RUN.reset(token)
            for fault in missing_faults(part.missing, data, self.environment.sources):
                faults.setdefault(fault.field, fault)
        if not refused:
            for fault in others:
                faults.setdefault(fault.field, fault)
        return tuple(faults.values())


def _reader_faults(locale: str | None, timezone: str | None) -> list[Fault]:
    faults = []
    if locale is not None and (len(locale) > 35 or LOCALE.fullmatch(locale) is None):
        faults.append(Fault("locale", "invalid", f"{locale[:40]!r} is not a locale such as fr or fr-CA"))
    if timezone is not None:
        try:
            zone(timezone)
        except ValueError as error:
            faults.append(Fault("timezone", "invalid", str(error)))
    return faults
