"""docs/templates.md says what templates may use, and nothing else."""

import re
from pathlib import Path

from notifier.templating import budget
from notifier.templating.filters import FILTERS, GLOBALS, TESTS
from notifier.templating.formats import FORMATS
from notifier.templating.strings import STRING_METHODS

PAGE = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")


def listed(heading: str) -> set[str]:
    """The words in back-ticks of the paragraph that starts with the heading."""
    found = re.search(rf"\*\*{heading}\*\*(.*?)\n\n", PAGE, re.DOTALL)
    assert found is not None
    return {word for span in re.findall(r"`([^`]+)`", found[1]) for word in re.split(r"[\s(),]+", span)}


def test_the_filters_of_the_page_are_the_filters() -> None:
    ours = set(FORMATS) | {"nl2br", "format"}
    assert listed("Filters of Jinja") == set(FILTERS) - ours
    table = PAGE.partition("**Filters of ours**")[2].partition("Money and numbers")[0]
    assert {name for name in ours if re.search(rf"\|{name}\b", table)} == ours


def test_the_tests_of_the_page_are_the_tests() -> None:
    assert listed("Tests") == set(TESTS)


def test_the_functions_of_the_page_are_the_functions() -> None:
    assert set(GLOBALS) <= listed("Functions")


def test_the_methods_of_strings_are_on_the_page() -> None:
    assert listed("Methods") >= STRING_METHODS


def test_the_budgets_of_the_page_are_the_budgets() -> None:
    for limit in (budget.MAX_STEPS, budget.MAX_WORK, budget.MAX_VALUE, budget.MAX_OUTPUT):
        assert f"| {limit:,}" in PAGE
