"""CSS that widely used mail clients drop, with who drops it.

The list is ours, kept small on purpose: what silently breaks a layout in a client that many readers have. Sources:
published comparisons of mail clients (for Outlook mailtester.tienng21.com/docs/outlook-mso, for the others
docs.lettr.com/knowledge-base/fundamentals/email-rendering-clients); look a property up at caniemail.com before adding
it. "Outlook for Windows" is the desktop application that renders with Word.
"""

import re
from collections.abc import Iterator

_OUTLOOK = "Outlook for Windows"
_GMAIL = "Gmail"

DROPPED: tuple[tuple[str, str, str], ...] = (
    (r"display\s*:\s*(?:inline-)?flex", "display: flex", _OUTLOOK),
    (r"display\s*:\s*(?:inline-)?grid", "display: grid", f"{_OUTLOOK}, {_GMAIL}"),
    (r"position\s*:\s*(?:absolute|fixed|sticky)", "position", f"{_OUTLOOK}, {_GMAIL}"),
    (r"(?<![\w-])float\s*:\s*(?:left|right)", "float", _OUTLOOK),
    (r"background(?:-image)?\s*:[^;}]*url\(", "background images", _OUTLOOK),
    (r"background(?:-image)?\s*:[^;}]*gradient\(", "gradients", _OUTLOOK),
    (r"(?<![\w-])filter\s*:", "filter", f"{_OUTLOOK}, {_GMAIL}"),
    (r"(?<![\w-])transform\s*:", "transform", f"{_OUTLOOK}, {_GMAIL}"),
    (r"(?<![\w-])(?:animation|transition)\s*:", "animations", f"{_OUTLOOK}, {_GMAIL}"),
    (r"@import\b", "@import", f"{_OUTLOOK}, {_GMAIL}"),
    (r"(?<![\w-])var\(\s*--", "CSS variables", f"{_OUTLOOK}, {_GMAIL}"),
    (r"(?<![\w-])calc\(", "calc()", _OUTLOOK),
    (r"(?<![\w-])(?:object-fit|clip-path|aspect-ratio)\s*:", "object-fit, clip-path, aspect-ratio", _OUTLOOK),
)
"""A pattern in CSS text, what to call it, and who drops it."""
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), name, clients) for pattern, name, clients in DROPPED)


def dropped_css(text: str) -> Iterator[tuple[int, str, str]]:
    """Where in the text (an offset) something is that clients drop, what it is, and which clients."""
    for pattern, name, clients in _COMPILED:
        found = pattern.search(text)
        if found is not None:
            yield found.start(), name, clients
