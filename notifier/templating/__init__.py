"""Templates: read from a folder or a store, compiled once, rendered the same way everywhere."""

from notifier.templating.bundle import Bundle, TemplateOptions, locale_chain, locale_tag
from notifier.templating.closure import close
from notifier.templating.contract import Contract, breaking_changes, compare
from notifier.templating.faults import RenderFailed, TemplateBroken
from notifier.templating.folder import Folder, read_folder, write_bundle
from notifier.templating.render import compile_bundle
from notifier.templating.template import Rendered, Template, Verdict

__all__ = [
    "Bundle", "Contract", "Folder", "RenderFailed", "Rendered", "Template", "TemplateBroken", "TemplateOptions",
    "Verdict", "breaking_changes", "close", "compare", "compile_bundle", "locale_chain", "locale_tag", "read_folder",
    "write_bundle",
]  # fmt: skip
