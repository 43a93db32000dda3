"""`notifier` as it is installed, run by a test."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("notifier"))
_PATIENCE = 180.0  # seconds; a command that hangs is a failure


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


def environment(**more: str) -> Mapping[str, str]:
    """This environment without the developer's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "MAIL_"))}
    return {**kept, **more}


def run(*arguments: str, cwd: Path, given: str = "", **settings: str) -> Ended:
    """Runs a command to its end; `given` is its standard input."""
    done = subprocess.run(
        [PROGRAM, *arguments], cwd=cwd, env=environment(**settings), input=given, text=True, encoding="utf-8",
        capture_output=True, timeout=_PATIENCE,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)
