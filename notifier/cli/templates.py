"""notifier templates: making, checking and looking at a folder, and keeping a running service in step with it."""

import base64
import difflib
import json
import sys
import tempfile
import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from notifier.cli.connection import LOCAL, AsJson, Key, Url, opening
from notifier.cli.data import read_data
from notifier.cli.exchange import Copy, RemoteTemplates, bundle_of, copy_of, folder_of, sources
from notifier.domain.errors import ConfigurationError, Fault, NotifierError, Refused
from notifier.templating import Folder, Rendered, breaking_changes, compile_bundle, write_bundle
from notifier.templating.lint import lint
from notifier.templating.scaffold import write_scaffold

commands = typer.Typer(no_args_is_help=True, help="Templates.")

Dir = Annotated[Path, typer.Option("--dir", help="The templates folder.", envvar="NOTIFIER_TEMPLATES_DIR")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these; all by default.")]
TEMPLATES = Path("templates")


@commands.command()
def new(
    name: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits, - and _.")],
    folder: Dir = TEMPLATES,
) -> None:
    """Make a first template: a subject, a body and a sample, ready to be changed."""
    for path in write_scaffold(folder, name):
        print(path)
    print(f"see it: notifier demo --templates {folder}")


# --------------------------------------------------------------------------------------------------------- the folder


@commands.command()
def check(
    names: Names = None,
    folder: Dir = TEMPLATES,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong in a folder, by file, line and column. Ends with 0 if nothing is broken, 1 if something is."""
    read = _chosen(folder_of(folder), names)
    errors = [(name, fault) for name, found in sorted(read.faults.items()) for fault in found]
    warnings = [(name, one) for name, bundle in sorted(read.bundles.items()) for one in lint(compile_bundle(bundle))]
    # A shared file's fault shows in every template that reaches it, and is one fault.
    errors, warnings = _once(errors), _once(warnings)
    if as_json:
        told = {"errors": [_told(*one) for one in errors], "warnings": [_told(*one) for one in warnings]}
        print(json.dumps({"checked": sorted({*read.bundles, *read.faults}), **told}, ensure_ascii=False, indent=2))
    else:
        for kind, found in (("error", errors), ("warning", warnings)):
            for _, fault in found:
                print(f"{folder / fault.field}: {kind}: {fault.message} [{fault.code}]")
        checked = len(read.bundles) + len(read.faults)
        print(f"{checked} templates, {len(errors)} errors, {len(warnings)} warnings", file=sys.stderr)
    raise typer.Exit(1 if errors or (strict and warnings) else 0)


def _chosen(read: Folder, names: Sequence[str] | None) -> Folder:
    """The part of a folder that is asked for. Raises ConfigurationError for a name that is not in it."""
    known = {*read.bundles, *read.faults}
    for name in names or ():
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "it is empty"
            raise ConfigurationError(f"the folder has no template {name!r}; {there}")
    wanted = set(names or known)
    bundles = {name: bundle for name, bundle in read.bundles.items() if name in wanted}
    return Folder(bundles, {n: found for n, found in read.faults.items() if n in wanted}, read.files, read.assets)


def _once(found: Iterable[tuple[str, Fault]]) -> list[tuple[str, Fault]]:
    first: dict[Fault, tuple[str, Fault]] = {}
    for name, fault in found:
        first.setdefault(fault, (name, fault))
    return list(first.values())


def _told(name: str, fault: Fault) -> dict[str, Any]:
    file, line, column = fault.field.rsplit(":", 2)
    place = {"file": file, "line": int(line), "column": int(column)}
    return {"template": name, **place, "code": fault.code, "message": fault.message}


@commands.command()
def preview(
    name: Annotated[str, typer.Argument(help="A template of the folder.")],
    folder: Dir = TEMPLATES,
    sample: Annotated[str, typer.Option(help="Which of its samples to render.")] = "default",
    data: Annotated[list[str] | None, typer.Option("--data", metavar="NAME=TEXT", help="Laid over the sample.")] = None,
    data_file: Annotated[str | None, typer.Option("--data-file", help="In place of a sample; - reads stdin.")] = None,
    locale: Annotated[str | None, typer.Option(help="As in fr or fr-CA.")] = None,
    timezone: Annotated[str | None, typer.Option(help="As in Europe/Paris.")] = None,
    html: Annotated[bool, typer.Option("--html", help="Print the HTML.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the HTML in a browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Render a template of the folder as it would be sent, without a server."""
    read = _chosen(folder_of(folder), [name])
    _fail_if_broken(read, folder)
    template = compile_bundle(read.bundles[name])
    if sample not in template.samples and sample != "default":
        raise ConfigurationError(f"{name} has no sample {sample!r}; there are {', '.join(sorted(template.samples))}")
    values = {} if data_file is not None else dict(template.samples.get(sample, {}))
    values |= read_data(data or (), data_file)
    verdict = template.verdict(values, locale=locale, timezone=timezone, at=datetime.now(UTC))
    mail = verdict.rendered
    if mail is None:
        _complain(verdict.faults)
        raise typer.Exit(1)
    if open_browser:
        print(_opened(mail))
    elif as_json:
        told = {"subject": mail.subject, "text": mail.text, "html": mail.html, "locale": mail.locale}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    elif html:
        print(mail.html or "", end="")
    else:
        print(f"Subject: {mail.subject}\n\n{mail.text or ''}", end="")


def _opened(mail: Rendered) -> Path:
    """A page with the mail in it, its pictures inside, opened in a browser."""
    page = mail.html or f"<!doctype html><meta charset=utf-8><pre>{mail.text}</pre>"
    for part in mail.inline:
        content = base64.b64encode(part.content).decode()
        page = page.replace(f"cid:{part.content_id}", f"data:{part.content_type};base64,{content}")
    with tempfile.NamedTemporaryFile("w", suffix=".html", prefix="notifier-", delete=False, encoding="utf-8") as file:
        file.write(page)
    webbrowser.open(Path(file.name).as_uri())
    return Path(file.name)


def _fail_if_broken(read: Folder, folder: Path) -> None:
    broken = [fault for found in read.faults.values() for fault in found]
    if broken:
        _complain(Fault(str(folder / fault.field), fault.code, fault.message) for fault in broken)
        raise typer.Exit(1)


def _complain(faults: Iterable[Fault]) -> None:
    for fault in faults:
        print(f"{fault.field}: {fault.message} [{fault.code}]", file=sys.stderr)


# -------------------------------------------------------------------------------------------------- a running service


@commands.command("list")
def list_templates(url: Url = LOCAL, key: Key = None, as_json: AsJson = False) -> None:
    """What the service has: names, what is published, and drafts that are newer."""
    with RemoteTemplates(url, opening(url, key)) as service:
        for one in service.names():
            if as_json:
                print(json.dumps(one, ensure_ascii=False))
                continue
            published = f"version {one['version']}" if one["version"] else "never published"
            draft = f", draft {one['draft']}" if one["draft"] else ""
            print(f"{one['name']:40} {published}{draft}")


def _pairs(
    service: RemoteTemplates, read: Folder, names: Sequence[str] | None
) -> Iterator[tuple[Copy | None, Copy | None]]:
    """What the folder and the service have of each template, shared files included where all are asked for."""
    here = {name: copy_of(name, source) for name, source in sources(read)}
    there = {one["name"] for one in service.names()}
    for name in sorted(set(names) if names else here.keys() | there):
        yield here.get(name), service.find(name) if name in there else None


@commands.command()
def diff(names: Names = None, folder: Dir = TEMPLATES, url: Url = LOCAL, key: Key = None) -> None:
    """How the folder differs from what is published. Ends with 0 if it does not, 1 if it does."""
    read = folder_of(folder)
    _fail_if_broken(read, folder)
    differ = False
    with RemoteTemplates(url, opening(url, key)) as service:
        for here, there in _pairs(service, read, names):
            for line in _differences(there, here):
                differ = True
                print(line)
    raise typer.Exit(1 if differ else 0)


def _differences(before: Copy | None, after: Copy | None) -> Iterator[str]:
    old, new = (before.texts if before else {}), (after.texts if after else {})
    for path in sorted(old.keys() | new.keys()):
        texts = (old.get(path), new.get(path))
        if texts[0] != texts[1]:
            there, here = (
                f"{side}/{path}" if text is not None else "/dev/null"
                for side, text in zip(("service", "folder"), texts, strict=True)
            )
            lines = [(text or "").splitlines() for text in texts]
            yield from difflib.unified_diff(lines[0], lines[1], there, here, lineterm="")
    was, now = (before.assets if before else {}), (after.assets if after else {})
    for path in sorted(was.keys() | now.keys()):
        if was.get(path) != now.get(path):
            yield f"Binary files service/{path} and folder/{path} differ"


@commands.command()
def push(
    names: Names = None,
    folder: Dir = TEMPLATES,
    publish: Annotated[bool, typer.Option("--publish", help="Publish at once; else they are drafts.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Publish what breaks callers, too. Is recorded.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    url: Url = LOCAL,
    key: Key = None,
) -> None:
    """Bring the folder to the service, with its shared files. Ends with 1 if something was refused, or would be."""
    read = _chosen(folder_of(folder), [name for name in names or () if not name.startswith("_")] or None)
    _fail_if_broken(read, folder)
    failed = False
    with RemoteTemplates(url, opening(url, key)) as service:
        for name, source in sources(read):
            if names and name not in names:
                continue
            there = service.find(name)
            state = "new" if there is None else "same" if copy_of(name, source).same_as(there) else "changed"
            if state == "same" and there is not None and (not publish or there.told["state"] == "published"):
                print(f"{name}: same")
                continue
            if dry_run:
                print(f"{name}: {state}")
                broken = _breaks(there, read, name)
                failed = failed or bool(broken and publish and not force)
                _complain(Fault(f"{name}: {one.field}", one.code, one.message) for one in broken)
                continue
            if failed and name.startswith("_"):
                continue  # a layout that goes with a refused template stays with it
            try:
                saved = service.put(name, source, publish=publish, force=force)
            except Refused as refusal:
                failed = True
                print(f"{name}: {refusal.detail}", file=sys.stderr)
                _complain(Fault(f"{name}: {one.field}", one.code, one.message) for one in refusal.faults)
            else:
                print(f"{name}: {state}, version {saved['version']} {saved['state']}")
    raise typer.Exit(1 if failed else 0)


def _breaks(there: Copy | None, read: Folder, name: str) -> tuple[Fault, ...]:
    """What callers would have to change, by the contracts."""
    if there is None or there.told.get("contract") is None:
        return ()
    return breaking_changes(there.told["contract"], compile_bundle(read.bundles[name]).contract)


@commands.command()
def pull(names: Names = None, folder: Dir = TEMPLATES, url: Url = LOCAL, key: Key = None) -> None:
    """Bring what is published to the folder. Files that say the same already stay as they are written."""
    read = folder_of(folder) if folder.exists() else Folder()
    with RemoteTemplates(url, opening(url, key)) as service:
        for here, there in _pairs(service, read, names):
            if there is None:
                continue
            theirs, mine = bundle_of(there), bundle_of(here) if here else None
            changed = {p: text for p, text in theirs.files.items() if mine is None or mine.files.get(p) != text}
            pictures = {p: data for p, data in theirs.assets.items() if mine is None or mine.assets.get(p) != data}
            for path in write_bundle(type(theirs)(theirs.name, changed, pictures), folder):
                print(f"wrote {path}")
            for gone in sorted((mine.files.keys() - theirs.files.keys()) if mine else ()):
                (folder / gone).unlink(missing_ok=True)
                print(f"removed {folder / gone}")
        known = {one["name"] for one in service.names()}
        if missing := sorted(set(names or ()) - known):
            raise NotifierError(f"the service has no template {', '.join(missing)}")
