"""What a new version means for callers, in sentences for a person."""

import pytest

from notifier.domain.errors import Fault
from notifier.templating.publishing import Judged, consequences


@pytest.mark.parametrize(
    ("change", "refused", "sentence", "breaks"),
    [
        (
            Fault("data.id", "required", ""),
            {("data.id", "missing"): 12},
            "callers must now send `id`; 12 of the last 200 did not",
            True,
        ),
        (Fault("data.id", "required", ""), {}, "callers must now send `id`; all of the last 200 did", True),
        (
            Fault("data.x", "removed", ""),
            {("data.x", "unknown"): 3},
            "callers may no longer send `x`; 3 of the last 200 did",
            True,
        ),
        (Fault("data.x", "removed", ""), {}, "callers may no longer send `x`; none of the last 200 did", True),
        (
            Fault("data.rows[].n", "type", "must now be number, was string"),
            {("data.rows[].n", "type"): 7},
            "`rows[].n` must now be number, was string; 7 of the last 200 would be refused for it",
            True,
        ),
        (Fault("data.old", "unused", ""), {}, "`old` is no longer used; callers may go on sending it", False),
    ],
)
def test_a_change_is_told_with_how_many_it_concerns(
    change: Fault, refused: dict[tuple[str, str], int], sentence: str, breaks: bool
) -> None:
    (told,) = consequences("welcome", Judged((change,), refused, 200))
    assert (told.template, told.sentence, told.breaks) == ("welcome", sentence, breaks)


def test_what_no_contract_says_is_told_by_what_would_be_refused_most_first() -> None:
    judged = Judged((), {("data.a", "missing"): 2, ("data.b", "format"): 9}, 10)
    assert [one.sentence for one in consequences("welcome", judged)] == [
        "`b` would be refused in 9 of the last 10 requests (format)",
        "callers must now send `a`; 2 of the last 10 did not",
    ]


def test_where_nobody_sent_anything_yet_nobody_is_counted() -> None:
    (told,) = consequences("welcome", Judged((Fault("data.id", "required", ""),)))
    assert told.sentence == "callers must now send `id`"
