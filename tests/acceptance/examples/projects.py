"""The projects in examples/: where they are, and how their own tests are run as their owners would."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"

LONGEST = 600  # seconds; what has not ended by then hangs

_NOT_THEIRS = ("NOTIFIER_", "MAIL_", "PYTEST_", "PYTHONPATH", "VIRTUAL_ENV", "DJANGO_")


def copied(name: str, to: Path) -> Path:
    """The example in a folder of its own: nothing of this repository is above it, and nothing is left behind here."""
    ignored = shutil.ignore_patterns("__pycache__", ".*", "node_modules")
    return Path(shutil.copytree(EXAMPLES / name, to / name, ignore=ignored))


def environment(binaries: Path, **more: str) -> Mapping[str, str]:
    """That of somebody who has just opened a terminal, with the programs of `binaries` first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_THEIRS)}
    return {**kept, "PATH": f"{binaries}:{kept['PATH']}", **more}


def run(command: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> str:
    """Runs it to its end and gives what it said. AssertionError with all of that, if it failed."""
    line = " ".join(map(str, command))
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, timeout=LONGEST, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"{line}: has not ended after {LONGEST} s\n{error.output}") from None
    assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout}"
    return done.stdout
