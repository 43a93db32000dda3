"""A first template, to be changed: the least that shows how the parts hang together."""

from pathlib import Path

from notifier.domain.errors import Conflict, Refused
from notifier.templating.bundle import NAME

_FILES = {
    "template.toml": 'description = "Say what this mail is for"\n',
    "subject.txt": "Hello {{ name }}\n",
    "body.md": (
        "# Hello {{ name }}\n\n"
        "This is **{{ title }}**. Change `body.md` and look at the result.\n\n"
        "[A link]({{ link_url }})\n"
    ),
    "samples/default.json": (
        '{\n  "name": "Zoë",\n  "title": "your first template",\n  "link_url": "https://example.com/"\n}\n'
    ),
}


def write_scaffold(folder: Path, name: str) -> list[Path]:
    """Writes a new template `name` into the templates folder `folder`; answers the files it made.

    Raises Refused for a name that is none, Conflict if there is something of that name.
    """
    if not NAME.fullmatch(name) or name != name.lower():
        raise Refused(f"{name!r} is no name for a template: lower-case letters, digits, '.', '-' and '_'")
    home = folder / name
    if home.exists():
        raise Conflict(f"{home} is there already")
    layout = folder / "_layouts" / "base.html"
    files = {home / path: text for path, text in _FILES.items()}
    if not layout.exists():
        files[layout] = _LAYOUT
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)


_LAYOUT = """\
<!doctype html>
<html lang="{{ locale }}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>{{ subject }}</title>
</head>
<body style="margin:0;padding:24px;font:16px/1.5 sans-serif;color:#1f2933">
{% block content %}{% endblock %}
</body>
</html>
"""
