"""Rows become bookings; what the calendar refuses is a bad row too, and nothing of it stands."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bookcore import Calendar, QueryError, Resource
from bookcore.tables import BadRow, Reason, Row
from bookcore.tables.filling import fill


def refused(calendar: Calendar, rows: list[Row | BadRow], capacity: int = 1) -> list[tuple[int, Reason, str]]:
    """Fill, and return what was refused."""
    return [row for row in fill(calendar, rows, capacity=capacity) if isinstance(row, BadRow)]


def test_later_of_two_overlapping_rows_is_refused_by_name() -> None:
    """The first stands; the second is told who stands in its way."""
    calendar = Calendar()
    (bad,) = refused(
        calendar, [Row(2, "loft", 1, 5, "a"), Row(3, "loft", 4, 6, "b"), Row(4, "loft", 5, 6, "c")]
    )
    assert bad == (3, Reason.OVERLAP, "'loft' 4 to 6 is taken by 'a' (1 to 5)")
    assert [event.id for event in calendar.bookings("loft")] == ["a", "c"]


def test_many_in_the_way_are_counted_after_three() -> None:
    """The sentence stays short."""
    rows = [Row(n, "loft", n, n + 1, str(n)) for n in range(2, 8)]
    (bad,) = refused(Calendar(), [*rows, Row(9, "loft", 0, None, "x")])
    assert bad[2].endswith("'4' (4 to 5), 3 more")
    assert "0 to ..." in bad[2]


def test_duplicate_id_is_refused_and_says_where_it_stands() -> None:
    """On another resource, at another time: an id is one booking's."""
    (bad,) = refused(Calendar(), [Row(2, "loft", 1, 5, "a"), Row(3, "attic", 7, 9, "a")])
    assert bad == (3, Reason.DUPLICATE, "'a' is booked already: 'loft' 1 to 5")


def test_row_without_id_is_booked_under_a_number_that_no_id_can_be() -> None:
    """Whatever ids come after it, or stood before; in a refusal it goes by its line."""
    calendar = Calendar()
    rows: list[Row | BadRow] = [
        Row(2, "loft", 1, 5, "line 3"),
        Row(3, "loft", 5, 9, None),
        Row(4, "loft", 9, 12, "line 4"),
        Row(5, "loft", 12, 13, None),
        Row(6, "loft", 14, 15, "1"),
        Row(7, "loft", 6, 7, None),
    ]
    assert refused(calendar, rows) == [(7, Reason.OVERLAP, "'loft' 6 to 7 is taken by line 3 (5 to 9)")]
    assert len(calendar) == 5
    assert len({str(event.id) for event in calendar.bookings("loft")}) >= 4


def test_row_of_a_table_without_ids_is_booked_under_its_line() -> None:
    """So that it can be found in the file; two such tables in one calendar do not get in each other's way."""
    calendar = Calendar()
    assert list(fill(calendar, [Row(17, "loft", 1, 5, None)], name_by_line=True))
    assert calendar.get("line 17").start == 1
    other: list[Row | BadRow] = [Row(17, "attic", 1, 5, None)]
    assert list(fill(calendar, other, name_by_line=True)) == other
    assert len(calendar) == 2


def test_refusal_has_its_keys_as_text() -> None:
    """As in the file, not as Python writes them."""
    rows: list[Row | BadRow] = [Row(2, "loft", date(2026, 7, 4), date(2026, 7, 4), None)]
    assert refused(Calendar(), rows) == [
        (2, Reason.REFUSED, "not a span: 2026-07-04 to 2026-07-04: the end must come after the start")
    ]


def test_bad_rows_pass_through_and_book_nothing() -> None:
    """In their place among the others, and their resource is not added."""
    bad = BadRow(3, Reason.NO_END, "a booking of 'attic'")
    calendar = Calendar()
    good = [Row(2, "loft", 1, 2, None), Row(4, "loft", 2, 3, None)]
    assert list(fill(calendar, [good[0], bad, good[1]])) == [good[0], bad, good[1]]
    assert calendar.resources.ids() == ["loft"]


def test_refused_row_of_a_new_resource_keeps_the_resource() -> None:
    """It is named in the file, so it can be asked about."""
    calendar = Calendar()
    refused(calendar, [Row(2, "loft", 1, 5, "a"), Row(3, "attic", 7, 9, "a")])
    assert calendar.resources.ids() == ["loft", "attic"]


def test_capacity_lets_so_many_overlap() -> None:
    """Two fit, the third does not."""
    rows: list[Row | BadRow] = [Row(n, "pool", 1, 5, None) for n in (2, 3, 4)]
    assert [bad[0] for bad in refused(Calendar(), rows, capacity=2)] == [4]


def test_quantities_take_so_many_units() -> None:
    """Three and one do not fit into three; four never could."""
    calendar = Calendar()
    rows: list[Row | BadRow] = [Row(n + 2, "pool", 1, 5, None, many) for n, many in enumerate((3, 1, 4))]
    bad = refused(calendar, rows, capacity=3)
    assert [str(one) for one in bad] == [
        "line 3: overlap: 'pool' 1 to 5 is taken by line 2 (1 to 5)",
        "line 4: more than there are: 4 of 'pool' 1 to 5 cannot be had: its capacity is 3",
    ]
    assert [event.quantity for event in calendar.bookings()] == [3]


def test_key_the_calendar_refuses_is_a_bad_row() -> None:
    """Whatever its reason, it is told in its own words."""
    (bad,) = refused(Calendar(), [Row(2, "loft", 1, 5, "a"), Row(3, "loft", "x", "y", "b")])
    assert bad[:2] == (3, Reason.REFUSED)
    assert "compared" in bad[2]


def test_table_may_speak_of_resources_that_are_there() -> None:
    """With the capacity that they have: a second file, or a calendar that somebody else filled."""
    calendar = Calendar()
    calendar.add_resource(Resource("pool", capacity=2))
    rows = [Row(2, "pool", 1, 5, "a"), Row(3, "pool", 1, 5, "b"), Row(4, "loft", 1, 5, "c")]
    assert list(fill(calendar, rows)) == rows
    assert list(fill(calendar, [Row(2, "loft", 5, 6, "d")])) == [Row(2, "loft", 5, 6, "d")]
    assert len(calendar) == 4


def test_nothing_is_booked_before_the_result_is_iterated() -> None:
    """A table is read in pieces; what is not asked for is not booked."""
    calendar = Calendar()
    filling = fill(calendar, [Row(2, "loft", 1, 5, "ada"), Row(3, "loft", 5, 9, "ben")])
    assert len(calendar) == 0
    next(filling)
    assert len(calendar) == 1
    list(filling)
    assert len(calendar) == 2


@pytest.mark.parametrize("rows", [5, None, [("loft", 1, 5)], [{"resource": "loft"}], [(2, "loft", 1, 5, "a")], ["loft"]])
def test_what_is_no_row_of_a_table_is_refused(rows: Any) -> None:
    """The error says which call books requests of other forms, and nothing is booked or added."""
    calendar = Calendar()
    with pytest.raises(QueryError, match=r"row"):
        list(fill(calendar, rows))
    assert (len(calendar), len(calendar.resources)) == (0, 0)


class Unlisted:
    """What cannot be iterated and has no truth value, though it says otherwise."""

    def __iter__(self) -> Any:
        raise ZeroDivisionError

    def __bool__(self) -> bool:
        raise ZeroDivisionError


@pytest.mark.parametrize("calendar", [5, None, "calendar", Calendar, Unlisted()], ids=lambda value: type(value).__name__)
def test_what_is_no_calendar_is_refused(calendar: Any) -> None:
    """By name, before a row is read."""
    with pytest.raises(QueryError, match="is no calendar"):
        list(fill(calendar, [Row(2, "loft", 1, 5, "ada")]))


def test_rows_that_cannot_be_iterated_are_refused() -> None:
    """By name; what rows raise later, while they are read, is raised as it is."""
    calendar = Calendar()
    with pytest.raises(QueryError, match=r"nor an iterable of its rows \(ZeroDivisionError\)"):
        list(fill(calendar, Unlisted()))
    with pytest.raises(ZeroDivisionError):
        list(fill(calendar, (Row(number, "loft", 1, 5 // (3 - number), "ada") for number in range(2, 5))))
    assert len(calendar) == 1
