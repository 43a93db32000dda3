"""`notifier demo` as a newcomer meets it: what it prints works, and templates are read again on save."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx

from tests.support.command import PROGRAM, environment


@contextmanager
def demo(folder: Path) -> Iterator[Iterator[str]]:
    """The lines that a demo of this folder says, as they come; not on a terminal."""
    command = [PROGRAM, "demo", "--no-open", "--port", "0", "--smtp-port", "0", "--templates", str(folder)]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    assert process.stdout is not None
    try:
        yield iter(process.stdout)
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def until(lines: Iterator[str], word: str) -> str:
    """What is said up to the line that has this word."""
    said = ""
    for line in lines:
        said += line
        if word in line:
            return said
    raise AssertionError(f"it ended without {word!r}: {said}")


def test_what_is_printed_can_be_pasted_and_templates_are_read_again_on_save(tmp_path: Path) -> None:
    hello = tmp_path / "hello"
    (hello / "samples").mkdir(parents=True)
    (hello / "subject.txt").write_text("Hello {{ name }}", "utf-8")
    (hello / "body.txt").write_text("Hi.", "utf-8")
    (hello / "samples" / "default.json").write_text('{"name": "Zoë"}', "utf-8")
    with demo(tmp_path) as lines:
        banner = until(lines, "Ctrl-C")
        curl = re.search(r"curl (\S+) .*?'Authorization: ([^']+)'.*?-d '([^']+)'", banner, re.DOTALL)
        assert curl is not None, banner
        url, authorization, body = curl.groups()
        with httpx.Client(headers={"authorization": authorization}, timeout=60, trust_env=False) as http:
            assert http.post(url, json=json.loads(body)).status_code == 202
            inbox = re.search(r"http://\S+/inbox", banner)
            assert inbox is not None
            wanted = {"to": json.loads(body)["to"].rpartition("<")[2].rstrip(">"), "timeout": 60}
            assert http.get(f"{inbox[0]}/api/messages/wait", params=wanted).json()["subject"] == "Hello Zoë"

            (hello / "subject.txt").write_text("Salut {{ name }}", "utf-8")
            until(lines, "read again: hello")
            place = url.replace("/notifications", "/templates/hello/preview")
            preview = http.post(place, json={"sample": "default"})
            assert preview.json()["subject"] == "Salut Zoë"
        (hello / "subject.txt").write_text("Salut {{ name", "utf-8")
        broken = until(lines, "hello/subject.txt:1:")
    assert "\x1b" not in broken  # no colours where nobody sees them
