"""Keys are of one kind, decided by the majority, and never guessed where that could be silently wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.tables import DateFormatError, KeyKind, KeyReader, UnclearKeysError, UnreadableKeyError

CELLS = {
    KeyKind.INT: ["7", "-7", "+7", "007"],
    KeyKind.FLOAT: ["7.5", ".5", "5.", "1e3", "-2.5E-1"],
    KeyKind.DATE: ["2026-07-04"],
    KeyKind.TIME: ["2026-07-04T09:30", "2026-07-04 09:30:00", "2026-07-04T09:30:00.5", "20260704T093000"],
    KeyKind.ZONED: ["2026-07-04T09:30Z", "2026-07-04 09:30+02:00", "2026-07-04T09:30:00-0330"],
    KeyKind.TEXT: ["spring", "week-01", "1_000", "0x1f", "1e", "inf", "infinity", "٣"],
}


@pytest.mark.parametrize(("kind", "cell"), [(kind, cell) for kind, cells in CELLS.items() for cell in cells])
def test_cell_is_of_its_narrowest_kind(kind: KeyKind, cell: str) -> None:
    """Numbers are numbers, ISO is ISO, and what Python alone would call a number is text."""
    assert KeyReader.for_cells([cell]).kind is kind


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "3"], KeyKind.FLOAT),
        (["1", "2", "soon"], KeyKind.INT),
        (["soon", "2026-07-04"], KeyKind.DATE),
        (["soon", "later", "2026-07-04"], KeyKind.TEXT),
        (["2026-07-04T09:30", "2026-07-04T09:30Z"], KeyKind.TIME),
        (["2026-07-04T09:30Z", "2026-07-04T09:30"], KeyKind.ZONED),
        ([], KeyKind.TEXT),
    ],
)
def test_majority_decides_and_the_first_breaks_ties(cells: list[str], kind: KeyKind) -> None:
    """Text only wins with more than half."""
    assert KeyReader.for_cells(cells).kind is kind


@pytest.mark.parametrize("cell", ["01/02/2026", "1.2.26", "01-02-2026", "9:30", "4 Jul 2026", "2026-13-01"])
def test_times_in_no_known_format_are_never_text(cell: str) -> None:
    """Compared as text they would be in the wrong order; the error shows one of them."""
    with pytest.raises(UnclearKeysError) as caught:
        KeyReader.for_cells([cell, cell])
    assert caught.value.text == cell


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (KeyKind.INT, "1.5", "not a whole number like 42"),
        (KeyKind.INT, "9" * 5000, "not a whole number"),
        (KeyKind.FLOAT, "nan", "not a number like 3.5"),
        (KeyKind.FLOAT, "1e999", "not a number like 3.5"),
        (KeyKind.FLOAT, "1_0", "not a number like 3.5"),
        (KeyKind.DATE, "2026-02-30", "not a date like 2026-07-04"),
        (KeyKind.DATE, "2026-02-03T10:00", "not a date"),
        (KeyKind.TIME, "2026-07-04", "is a date without a time"),
        (KeyKind.TIME, "tomorrow", "not a time like 2026-07-04T09:30"),
        (KeyKind.ZONED, "2026-07-04", "is a date without a time"),
    ],
)
def test_unreadable_key_says_what_is_wanted(kind: KeyKind, text: str, says: str) -> None:
    """With the facts as attributes."""
    with pytest.raises(UnreadableKeyError, match=says) as caught:
        KeyReader(kind)(text)
    assert (caught.value.text, caught.value.kind, caught.value.mixed) == (text, kind, False)


def test_mixed_zones_are_told_from_nonsense() -> None:
    """A time with a zone among those without, and the other way round."""
    for kind, text, says in (
        (KeyKind.TIME, "2026-07-04T09:30Z", "has a zone; the other times have none"),
        (KeyKind.ZONED, "2026-07-04T09:30", "has no zone; the other times have one"),
    ):
        with pytest.raises(UnreadableKeyError, match=says) as caught:
            KeyReader(kind)(text)
        assert caught.value.mixed


@pytest.mark.parametrize(
    ("form", "text", "key"),
    [
        ("%d/%m/%Y", "04/07/2026", date(2026, 7, 4)),
        ("%d/%m/%Y %H:%M", "04/07/2026 09:30", datetime(2026, 7, 4, 9, 30)),
        ("%Y %j %H%%", "2026 185 09%", datetime(2026, 7, 4, 9)),
        (
            "%d.%m.%y %H:%M %z",
            "04.07.26 09:30 +0200",
            datetime(2026, 7, 4, 9, 30, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
)
def test_date_format_is_read_as_told(form: str, text: str, key: Any) -> None:
    """What it yields is a date, a time or a time with a zone, by what it names."""
    reader = KeyReader(None, date_format=form)
    assert reader(text) == key
    assert type(reader(text)) is type(key)
    with pytest.raises(UnreadableKeyError, match="does not have the format"):
        reader("2026")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (3, "3"),
        (2.5, "2.5"),
        ("spring", "spring"),
        (date(2026, 7, 4), "2026-07-04"),
        (datetime(2026, 7, 4, 9), "2026-07-04T09:00"),
        (datetime(2026, 7, 4, 9, tzinfo=UTC), "2026-07-04T09:00Z"),
        (Decimal("1.5"), "1.5"),
        (Fraction(1, 3), "1/3"),
    ],
)
def test_keys_like_another_are_read_as_its_type(key: Any, text: str) -> None:
    """So that a snapshot can be asked in its own keys."""
    found = KeyReader.like(key)(text)
    assert found == key
    assert type(found) is type(key)


def test_keys_of_unknown_types_are_refused() -> None:
    """A tuple cannot be typed on a command line; nor can NaN be a Decimal key."""
    for like, text in (
        ((1, 2), "1"),
        (True, "1"),
        (Decimal(1), "nan"),
        (Decimal(1), "inf"),
        (Fraction(1), "1/0"),
    ):
        with pytest.raises(UnreadableKeyError):
            KeyReader.like(like)(text)


def test_equal_cells_are_one_object() -> None:
    """A key costs memory once."""
    reader = KeyReader(KeyKind.ZONED)
    assert reader("2026-07-04T09:30Z") is reader("2026-07-04T09:30Z")


@given(st.text(max_size=40), st.sampled_from([kind for kind in KeyKind if kind is not KeyKind.TEXT]))
def test_any_text_is_a_key_or_an_error_of_ours(text: str, kind: KeyKind) -> None:
    """Never another exception, whatever the text."""
    try:
        key = KeyReader(kind)(text)
    except UnreadableKeyError as fault:
        assert fault.text == text
    else:
        assert key == key  # a NaN would differ from itself


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_sample_has_a_kind_or_is_unclear(cells: list[str]) -> None:
    """Deciding never fails in another way."""
    try:
        assert KeyReader.for_cells(cells).kind in KeyKind
    except UnclearKeysError as fault:
        assert fault.text in cells


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("", "is empty"),
        ("day", "no directive"),
        ("%%d", "no directive"),
        ("%d %Q", "%Q"),
        ("%d/%-m", "%-"),
        ("%d%", "no directive of"),
        ("%d\n%", "no directive of"),
        ("%G-%d", "reads nothing"),
        ("%d %d", "reads nothing"),
    ],
)
def test_date_format_that_can_read_nothing_is_refused(form: str, says: str) -> None:
    """Before the first cell is."""
    with pytest.raises(DateFormatError, match=says) as caught:
        KeyReader(KeyKind.TIME, date_format=form)
    assert caught.value.date_format == form


def test_reader_counts_what_it_refused_by_kind() -> None:
    """So that advice can be given that fits."""
    reader = KeyReader(KeyKind.DATE)
    for text in ("4/7/2026", "2026-07-04T09:30", "7", "soon", "5/7/2026"):
        with pytest.raises(UnreadableKeyError):
            reader(text)
    assert reader.refused == {"like a time": 2, KeyKind.TIME: 1, KeyKind.INT: 1, KeyKind.TEXT: 1}


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["2026-07-04 9:30", "2026-07-04 10:30"], datetime(2026, 7, 4, 9, 30)),
        (["2026-07-04 10:30", "2026-07-04 9:30"], datetime(2026, 7, 4, 10, 30)),
        (["2026-07-04T9:30"], datetime(2026, 7, 4, 9, 30)),
        (["2026-07-04 9:30:15"], datetime(2026, 7, 4, 9, 30, 15)),
        (["2026-07-04 9:30Z"], datetime(2026, 7, 4, 9, 30, tzinfo=UTC)),
        (["2026-07-04 0:00+00:00"], datetime(2026, 7, 4, tzinfo=UTC)),
    ],
)
def test_an_hour_of_one_digit_is_read(cells: list[str], first: datetime) -> None:
    """It can mean one thing only, and many programs write it so."""
    reader = KeyReader.for_cells(cells)
    assert reader(cells[0]) == first
    assert all(reader(cell) for cell in cells)
    assert reader.kind is (KeyKind.ZONED if first.tzinfo else KeyKind.TIME)
    with pytest.raises(UnreadableKeyError):
        reader("2026-07-04 25:30")
    with pytest.raises(UnreadableKeyError):
        reader("2026-07-04 9")
