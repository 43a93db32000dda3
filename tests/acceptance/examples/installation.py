"""A new virtual environment with what a project asks for: notifier from its built wheel, the rest from the index in the
versions that this repository is locked to."""

import os
import re
import sys
import tomllib
from pathlib import Path

from uv import find_uv_bin

from tests.acceptance.examples.projects import ROOT, environment, run

PACKAGE = "notifier-service"


def wheel(folder: Path) -> Path:
    """Builds it."""
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], ROOT, os.environ)
    [built] = folder.glob("*.whl")
    return built


def requirements(project: Path, built: Path) -> list[str]:
    """What the project's pyproject.toml names, for running and for its tests, with the wheel for notifier."""
    told = tomllib.loads((project / "pyproject.toml").read_text())
    named = [*told["project"]["dependencies"], *told["dependency-groups"]["dev"]]
    assert any(one.startswith(PACKAGE) for one in named)
    return [f"{one} @ {built.as_uri()}" if one.startswith(PACKAGE) else one for one in named]


def installed(folder: Path, wanted: list[str]) -> Path:
    """Makes the environment in `folder` and gives its Python. By uv, which takes seconds; by pip where that cannot: it
    may know an index or a proxy that uv has not been told of."""
    pins = folder.with_name("constraints.txt")
    pins.write_text("\n".join(_pins()) + "\n")
    python, uv, env = folder / "bin" / "python", find_uv_bin(), environment(folder / "bin")
    try:
        run([uv, "venv", "--python", sys.executable, folder], folder.parent, env)
        run([uv, "pip", "install", "--python", python, "--constraint", pins, *wanted], folder.parent, env)
    except AssertionError:
        run([sys.executable, "-m", "venv", "--clear", folder], folder.parent, env)
        run([python, "-m", "pip", "install", "--constraint", pins, *wanted], folder.parent, env)
    return python


def _pins() -> list[str]:
    """``name==version ; marker`` of everything that is locked, less the hashes."""
    locked = (ROOT / "requirements-dev.txt").read_text()
    return re.findall(r"^([a-z0-9][a-z0-9._-]*==[^\\\n]*?) *\\?$", locked, re.MULTILINE | re.IGNORECASE)
