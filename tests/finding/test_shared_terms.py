"""A question costs in proportion to its distinct terms, however often one of them is repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookcore import Calendar, Resource, Selection
from bookcore.hours import Hours
from bookcore.hours.weeks import Weeks
from bookcore.index import attribute_index
from bookcore.query.planner import Planner

DEEP = 40


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[tuple[Any, ...]]:
    """Return a list to which the arguments of each call of a function are added."""
    calls: list[tuple[Any, ...]] = []
    real = getattr(owner, name)

    def counting(*args: Any) -> Any:
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(owner, name, counting)
    return calls


def calendar_of(count: int) -> Calendar:
    calendar = Calendar()
    calendar.create_index("id", key=lambda resource: resource.id)
    for number in range(count):
        calendar.add_resource(Resource(number))
        calendar.tag(number, number % 3)
        if number % 5 == 0:
            calendar.book(number, 10, 20)
    return calendar


GROWTH: dict[str, Callable[[Selection, Calendar], Selection]] = {
    "s & s": lambda s, c: s & s,
    "s | s": lambda s, c: s | s,
    "s ^ ~s": lambda s, c: s ^ ~s,
    "s - (s - t)": lambda s, c: s - (s - c.tagged(1)),
    "(s & t) | (s & u)": lambda s, c: (s & c.tagged(1)) | (s & c.tagged(2)),
    "~(s & ~s) & s": lambda s, c: ~(s & ~s) & s,
    "find(s, [s, t])": lambda s, c: c.find(s, [s, c.tagged(2)]),
}


@pytest.mark.parametrize("growth", GROWTH)
@pytest.mark.parametrize("read", [len, list, bool, lambda s: s.first(3), lambda s: 7 in s, lambda s: list(s.order_by("id"))])
def test_each_is_evaluated_a_few_times(growth: str, read: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    calendar = calendar_of(200)
    question = calendar.find_available(5, 15)
    for _ in range(DEEP):
        question = GROWTH[growth](question, calendar)
    asked = counted(monkeypatch, Planner, "_available")
    read(question)
    assert len(asked) <= 20 * DEEP
    assert len(repr(question)) < 10_000


@pytest.mark.parametrize("growth", GROWTH)
def test_the_answer_is_that_of_sets(growth: str) -> None:
    calendar = calendar_of(30)
    question, name = calendar.find_available(5, 15), growth
    free = set(question.ids())
    every = set(range(30))
    for _ in range(4):
        question = GROWTH[growth](question, calendar)
        tag = {label: {number for number in every if number % 3 == label} for label in range(3)}
        free = {
            "s & s": free,
            "s | s": free,
            "s ^ ~s": every,
            "s - (s - t)": free & tag[1],
            "(s & t) | (s & u)": free & (tag[1] | tag[2]),
            "~(s & ~s) & s": free,
            "find(s, [s, t])": free,
        }[name]
        assert question.ids() == sorted(free)


@pytest.mark.parametrize("values", [range(3000), list(range(500)) * 4, [7], [], [-1, 5000], [None, 3, float("nan"), 3]])
def test_one_of_makes_one_bitmap(values: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calendar = calendar_of(3000)
    made = counted(monkeypatch, attribute_index, "from_ordinals")
    found = calendar.index("id").one_of(values).ids()
    assert len(made) <= 1
    assert found == sorted({value for value in values if value in range(3000)})


HOURS = {
    "weekly": Hours({"mon-fri": "09:00-10:00"}, exceptions={"9000-01-01": "09:00-17:00"}),
    "with a zone": Hours({"mon-sat": "09:00-10:00"}, zone="Europe/Berlin", exceptions=dict.fromkeys(
        [f"9000-01-{day:02}" for day in range(1, 5)], "00:00-24:00")),
    "none else": Hours({}, exceptions={"9000-01-01": "09:00-17:00"}),
    "round midnight": Hours({"fri": "22:00-26:00"}, exceptions={"9000-01-01": "00:00-24:00"}),
    "several": Hours({"mon-fri": "09:00-10:00"}, exceptions={"3000-01-01": "09:00-11:00", "9000-01-01": "09:00-17:00"}),
    "closed exceptions": Hours({"mon-fri": "09:00-10:00"}, exceptions={"4000-01-01": None, "9000-01-01": "09:00-17:00"}),
}


@pytest.mark.parametrize("rule", HOURS)
@pytest.mark.parametrize("many", [3, 300])
def test_a_far_exception_is_found_without_the_weeks_before(rule: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = HOURS[rule]
    calendar = Calendar()
    for number in range(many):
        calendar.add_resource(Resource(number))
    calendar.set_hours(range(many), hours)
    visited = counted(monkeypatch, Weeks, "_resolved")
    # with a zone, an opening may be two days longer than the clock says
    start, length = datetime(2026, 5, 1, tzinfo=hours.zone), timedelta(hours=6 if hours.zone is None else 60)
    found, until, resource = next(calendar.find_slots(length, start, start.replace(year=9500)))
    assert found == datetime(9000, 1, 1, found.hour, tzinfo=found.tzinfo) or hours.zone is not None
    assert (until - found, resource.id) == (length, 0)
    assert next(iter(calendar.gaps(0, start, start.replace(year=9500), at_least=length)))[0] == found
    span = calendar.next_available(0, start, length)
    assert span is not None
    assert span[0] == found
    assert len({week for _, week in visited}) <= 60


@pytest.mark.parametrize("seed", range(6))
def test_no_long_opening_is_left_out(seed: int) -> None:
    """Exceptions that touch ordinary openings, before and after, over midnight and over the end of the week."""
    weekly = [
        {"mon-sun": "08:00-20:00"}, {"mon": "00:00-24:00", "sun": "00:00-24:00"}, {"sat": "20:00-26:00"},
        {"mon-wed": "00:00-24:00"}, {"thu-sun": "00:00-24:00"}, {"sun": "23:00-27:00", "tue": "10:00-11:00"},
    ][seed]  # fmt: skip
    days = [f"2026-05-{day:02}" for day in range(1, 29)]
    for first in range(0, 28, 3):
        exceptions = dict.fromkeys(days[first : first + 1 + seed], "00:00-24:00")
        hours = Hours(weekly, exceptions=exceptions)
        window = datetime(2026, 1, 1), datetime(2026, 12, 1)
        every: list[Any] = list(hours.open_spans(*window))
        for length in (timedelta(hours=3), timedelta(hours=13), timedelta(hours=30), timedelta(days=5)):
            long = [(opens, closes) for opens, closes in every if closes - opens >= length]
            found: list[Any] = list(hours.open_spans(*window, at_least=length))
            assert [(opens, closes) for opens, closes in found if closes - opens >= length] == long
