"""What templates can do wrong, as exceptions of the one tree. Positions count from 1, columns in characters."""

from collections.abc import Sequence

from jinja2.exceptions import TemplateRuntimeError

from notifier.domain.errors import Fault, Refused


class TemplateBroken(Refused):
    """A template cannot be compiled. `faults[].field` is ``FILE:LINE:COLUMN``, the file within the templates folder."""

    code = "template_broken"

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        first = f": {faults[0].field}: {faults[0].message}" if faults else ""
        super().__init__(f"template {name!r} is broken{first}", faults=faults)
        self.name = name


class RenderFailed(Refused):
    """This data does not render. `faults[].field` is ``data.PATH`` where a variable is at fault, else the position."""

    code = "render_failed"

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        first = f": {faults[0].field}: {faults[0].message}" if faults else ""
        super().__init__(f"template {name!r} does not render{first}", faults=faults)
        self.name = name


class Unfit(TemplateRuntimeError):
    """What was rendered is no mail to be sent: a part without text, a link that runs a program."""

    def __init__(self, code: str, path: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
