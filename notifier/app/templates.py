"""Where the templates are that a process starts with."""

from pathlib import Path

from notifier.domain.errors import ConfigurationError
from notifier.settings import Settings


def templates_folder(settings: Settings) -> Path:
    """The folder that was named; else `templates` here; else those that come with notifier.

    Raises ConfigurationError where the folder that was named is none.
    """
    if settings.templates_dir.is_dir():
        return settings.templates_dir
    if "templates_dir" in settings.model_fields_set:
        raise ConfigurationError(f"NOTIFIER_TEMPLATES_DIR: {settings.templates_dir} is not a folder")
    return shipped_templates()


def shipped_templates() -> Path:
    """The templates that come with notifier: in the package once installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(path for path in (package / "_templates", package.parent / "templates") if path.is_dir())
