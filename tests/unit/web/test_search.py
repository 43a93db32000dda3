"""What people search for in the admin pages, as a filter."""

from notifier.web.admin.search import filter_of


def test_the_first_and_the_last_day_of_the_calendar_leave_nothing_out() -> None:
    wanted, wrong = filter_of({"from": "0001-01-01", "to": "9999-12-31"})
    assert wrong is None
    assert wanted.created_after is wanted.created_before is None
