"""Every recipe of examples/ does what it says: its own tests pass in a folder of its own."""

import sys
from pathlib import Path

import pytest

from tests.acceptance.examples.projects import EXAMPLES, copied, environment, run

IN_PYTHON = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml") if path.parent.name != "orders")


@pytest.mark.parametrize("name", IN_PYTHON)
def test_the_tests_of_a_recipe_pass(name: str, tmp_path: Path) -> None:
    binaries = Path(sys.executable).parent
    project = copied(name, tmp_path)
    run([binaries / "python", "-m", "pytest", "-p", "no:cacheprovider"], project, environment(binaries))
