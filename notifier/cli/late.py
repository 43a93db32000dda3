"""Groups of commands whose module is imported when one of them is asked for, and not before."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def late(module: str) -> type[TyperGroup]:
    """A group with the commands of the Typer that is called ``commands`` in `module`."""

    class Late(TyperGroup):
        def list_commands(self, context: Any) -> list[str]:
            self._load()
            return super().list_commands(context)

        def get_command(self, context: Any, name: str) -> Any:
            self._load()
            return super().get_command(context, name)

        def _load(self) -> None:
            if not self.commands:
                self.commands.update(typer.main.get_group(import_module(module).commands).commands)

    return Late
