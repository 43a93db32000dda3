"""Completion by the shells."""

import subprocess
from pathlib import Path

import pytest

from tests.support.command import PROGRAM, environment, run

ASK = """
source completion.sh
complete_it() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _notifier_completion notifier; echo "${COMPREPLY[@]}"; }
complete_it notifier templ
complete_it notifier templates pu
complete_it notifier keys revoke --u
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_own_script(shell: str, tmp_path: Path) -> None:
    shown = run("--show-completion", shell, cwd=tmp_path)
    assert shown.code == 0, shown
    assert f"_NOTIFIER_COMPLETE=complete_{shell}" in shown.out


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    (tmp_path / "completion.sh").write_text(run("--show-completion", "bash", cwd=tmp_path).out)
    path = f"{Path(PROGRAM).parent}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", ASK], cwd=tmp_path, env=environment(PATH=path), capture_output=True, text=True, timeout=180
    )
    assert done.stdout.splitlines() == ["templates", "push pull", "--url"], done.stderr


def test_it_is_put_where_the_shell_reads_it(tmp_path: Path) -> None:
    installed = run("--install-completion", "bash", cwd=tmp_path, HOME=str(tmp_path))
    assert installed.code == 0, installed
    assert ".bash_completions/notifier.sh" in (tmp_path / ".bashrc").read_text()
    assert "complete_bash" in (tmp_path / ".bash_completions" / "notifier.sh").read_text()


def test_a_shell_that_nobody_knows_is_refused_with_those_that_are(tmp_path: Path) -> None:
    refused = run("--show-completion", "csh", cwd=tmp_path)
    assert (refused.code, "'fish'" in refused.err) == (2, True)
