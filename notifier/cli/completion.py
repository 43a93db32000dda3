"""Completion of commands and options by the shell."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import completion_init, get_completion_script, install  # type: ignore[attr-defined]

_VARIABLE = "_NOTIFIER_COMPLETE"


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    PWSH = "pwsh"


def register(application: typer.Typer) -> None:
    """Adds the two options. Typer's own guess the shell that they run in, whatever shell they are asked for."""
    completion_init()
    application.callback()(options)


def _show(shell: Shell | None) -> None:
    if shell is not None:
        print(get_completion_script(prog_name="notifier", complete_var=_VARIABLE, shell=shell.value))
        raise typer.Exit


def _install(shell: Shell | None) -> None:
    if shell is not None:
        name, path = install(shell=shell.value, prog_name="notifier", complete_var=_VARIABLE)
        print(f"{name} completes notifier by {path}, in every shell that is started from now on")
        raise typer.Exit


def options(
    show: Annotated[
        Shell | None,
        typer.Option("--show-completion", help="Print what makes this shell complete notifier.", callback=_show),
    ] = None,
    install: Annotated[
        Shell | None,
        typer.Option("--install-completion", help="Put it where this shell reads it at its start.", callback=_install),
    ] = None,
) -> None:
    pass
