"""A mail for each row of a CSV file, with a result file that an interrupted run goes on from.

A row's idempotency key is made of what the row says: whatever was interrupted where, the same file again sends to
nobody twice, for as long as the service keeps its keys; what the result file has is not even asked again.
"""

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import Progress

from notifier.cli.data import put
from notifier.client import BatchItem, Notifier
from notifier.domain.errors import ConfigurationError

_OWN = ("to", "email", "name", "locale", "reference")
_RESULTS = ("row", "to", "id", "status", "error", "key")


@dataclass(frozen=True, slots=True)
class Summary:
    """How many rows were accepted and refused now, and how many had been before."""

    accepted: int
    refused: int
    before: int
    results: Path

    def as_json(self) -> dict[str, Any]:
        return {"accepted": self.accepted, "refused": self.refused, "before": self.before, "results": str(self.results)}

    def __str__(self) -> str:
        before = f", {self.before} were before" if self.before else ""
        return f"{self.accepted} accepted, {self.refused} refused{before}; {self.results}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row, numbered as an editor numbers lines (the first after the header is 2, where no cell has a line end)."""

    number: int
    to: str
    item: Mapping[str, Any]
    key: str


def send_to_people(client: Notifier, file: Path, results: Path | None, defaults: Mapping[str, Any]) -> Summary:
    """Sends, and writes the results after each request. Raises ConfigurationError, and what the client raises."""
    results = results or file.with_name(f"{file.stem}.results.csv")
    done = _taken_up(results)
    rows = list(read_rows(file, defaults))
    waiting = [row for row in rows if row.key not in done]
    counts: Counter[bool] = Counter()
    console = Console(stderr=True)
    quiet = not console.is_terminal
    with results.open("a", newline="", encoding="utf-8") as out, Progress(console=console, disable=quiet) as bar:
        task = bar.add_task(file.name, total=len(rows), completed=len(rows) - len(waiting))

        def progress(count: int, latest: Sequence[BatchItem]) -> None:
            _write(out, waiting, latest)
            counts.update(item.refusal is None for item in latest)
            bar.update(task, completed=len(rows) - len(waiting) + count)

        try:
            client.send_batch((row.item for row in waiting), defaults=defaults, progress=progress)
        except KeyboardInterrupt:
            bar.stop()
            there = len(rows) - len(waiting) + counts.total()
            console.print(f"stopped after {there} of {len(rows)} rows; the same command goes on from there")
            raise
    return Summary(counts[True], counts[False], len(rows) - len(waiting), results)


def read_rows(file: Path, defaults: Mapping[str, Any]) -> Iterator[Row]:
    """The rows as items of a batch. A column `to` (or `email`) is needed; an empty cell is left out."""
    seen: Counter[str] = Counter()
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.DictReader(opened, restkey="")
            if not {"to", "email"} & set(columns := reader.fieldnames or ()):
                there = f", but {', '.join(f'`{name}`' for name in columns)}" if columns else ""
                raise ConfigurationError(f"--csv {file}: there is no column `to`{there} (commas are between columns)")
            for cells in reader:
                number = reader.line_num
                if "" in cells:
                    raise ConfigurationError(f"--csv {file}, line {number}: more cells than there are columns")
                item = _item(cells)
                content = json.dumps([item, defaults], sort_keys=True)
                seen[content] += 1
                key = hashlib.sha256(f"{content}#{seen[content]}".encode()).hexdigest()[:32]
                yield Row(number, cells.get("to") or cells.get("email") or "", {**item, "idempotency_key": key}, key)
    except UnicodeDecodeError:
        raise ConfigurationError(f"--csv {file}: this is not UTF-8; save it as “CSV UTF-8”") from None
    except (OSError, csv.Error) as error:
        raise ConfigurationError(f"--csv {file}: {getattr(error, 'strerror', None) or error}") from None


def _item(cells: Mapping[str, str | None]) -> dict[str, Any]:
    email = cells.get("to") or cells.get("email") or ""
    name = cells.get("name")
    data: dict[str, Any] = {}
    for column, cell in cells.items():
        if cell and column not in _OWN:
            put(data, column, cell)
    if name:
        data.setdefault("name", name)
    item = {column: cells[column] for column in ("locale", "reference") if cells.get(column)}
    return {"to": {"email": email, "name": name} if name else email, **item, "data": data}


def _taken_up(results: Path) -> set[str]:
    """Keys of rows that were accepted in an earlier run. Rows that were refused leave the file, to be tried again."""
    if not results.exists():
        kept: list[dict[str, Any]] = []
    else:
        with results.open(newline="", encoding="utf-8") as opened:
            reader = csv.DictReader(opened)
            if tuple(reader.fieldnames or ()) != _RESULTS:
                raise ConfigurationError(f"--results {results} is there, and is no result file of ours")
            # A run that was killed may have left half a line.
            kept = [line for line in reader if line["id"] and line["key"]]
    rewritten = results.with_name(f"{results.name}.new")
    with rewritten.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, _RESULTS)
        writer.writeheader()
        writer.writerows(kept)
    rewritten.replace(results)
    return {line["key"] for line in kept}


def _write(out: IO[str], rows: Sequence[Row], latest: Sequence[BatchItem]) -> None:
    writer = csv.writer(out)
    for item in latest:
        row = rows[item.index]
        one = item.notification
        told = (one.id, one.status, "") if one else ("", "refused", str(item.refusal))
        writer.writerow([row.number, row.to, *told, row.key])
    out.flush()
    os.fsync(out.fileno())
