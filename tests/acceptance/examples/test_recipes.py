"""Every recipe of examples/ does what it says: its own tests pass in a folder of its own."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.acceptance.examples.projects import EXAMPLES, copied, environment, run

BINARIES = Path(sys.executable).parent
IN_PYTHON = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml") if path.parent.name != "orders")


@pytest.mark.parametrize("name", IN_PYTHON)
def test_the_tests_of_a_recipe_pass(name: str, tmp_path: Path) -> None:
    project = copied(name, tmp_path)
    run([BINARIES / "python", "-m", "pytest", "-p", "no:cacheprovider"], project, environment(BINARIES))


def test_a_service_in_node_tests_its_mail_beside_a_notifier_of_its_own(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("no node: install it (Debian: `apt-get install nodejs`)")
    script = copied("ci", tmp_path) / "with-notifier.sh"
    project = copied("node_fetch", tmp_path)
    said = run([script, "templates", "node", "--test"], project, environment(BINARIES))
    assert "# fail 0" in said, said
