"""A selection is asked once, however a program makes a list of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookcore import Calendar, Resource, Selection
from bookcore.query.planner import Planner


class Clock:
    """A clock that counts how often it is asked."""

    def __init__(self) -> None:
        self.now = self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that shows 0."""
    return Clock()


@pytest.fixture
def calendar(clock: Clock) -> Calendar:
    """Give a calendar of nine resources, of which one is booked and one held for a while."""
    calendar = Calendar(clock=clock)
    for number in range(9):
        calendar.add_resource(Resource(number))
    calendar.tag(4, "sea")
    calendar.book(2, 10, 20)
    calendar.hold(7, 10, 20, until=100)
    return calendar


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every evaluation of a selection, by the name of the planner's method."""
    noted: list[str] = []
    for name in ("select", "count"):
        right = getattr(Planner, name)

        def call(self: Any, *args: Any, right: Any = right, name: str = name) -> Any:
            noted.append(name)
            return right(self, *args)

        monkeypatch.setattr(Planner, name, call)
    return noted


def unpacked(*items: Any) -> list[Any]:
    """Return the arguments."""
    return [*items]


def in_a_list(found: Any) -> list[Any]:
    """Return a list, made by a call in a function of the program's own."""
    return list(found)


def in_a_tuple(found: Any) -> tuple[Any, ...]:
    """Return a tuple, made by a call in a function of the program's own."""
    return tuple(found)


def extended(found: Any) -> list[Any]:
    """Return a list that was extended."""
    items: list[Any] = []
    items.extend(found)
    return items


SELECTIONS: dict[str, Callable[[Calendar], Selection]] = {
    "available": lambda calendar: calendar.find_available(12, 15),
    "composed": lambda calendar: calendar.find_available(12, 15) - calendar.tagged("sea") | calendar.find_booked(12, 15),
    "ordered": lambda calendar: calendar.find_available(12, 15).order_by(lambda resource: -resource.id),
    "all": lambda calendar: calendar.resources,
}

WAYS: dict[str, Callable[[Selection], Any]] = {
    "list": list,
    "list in a function": in_a_list,
    "tuple": tuple,
    "tuple in a function": in_a_tuple,
    "star": lambda found: [*found],
    "star in a tuple": lambda found: (*found,),
    "star in a call": lambda found: unpacked(*found),
    "sorted": lambda found: sorted(found, key=lambda resource: 0),
    "extend": extended,
    "loop": lambda found: [resource for resource in found],  # noqa: C416
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SELECTIONS)
def test_a_list_of_a_selection_asks_once(
    calendar: Calendar, clock: Clock, evaluated: list[str], name: str, way: str
) -> None:
    """One evaluation and one look at the clock, also where Python asks for the length as a hint; and again the next time."""
    found = SELECTIONS[name](calendar)
    right = found.ids()
    for _ in range(2):
        evaluated.clear()
        clock.asked = 0
        got = WAYS[way](found)
        assert evaluated == ["select"]
        assert clock.asked == 1
        assert [resource.id for resource in got] == right


def test_a_length_is_counted_where_no_list_is_made(calendar: Calendar, evaluated: list[str]) -> None:
    """`len` alone asks for the count and for no list, and so does each one that follows."""
    found = calendar.find_available(12, 15)
    assert (len(found), len(found), found.count()) == (7, 7, 7)
    assert evaluated == ["count"] * 3


def both(found: Selection, between: Callable[[], Any]) -> tuple[int, int]:
    """Return how many a selection's iterator yields, and its length after a change in between."""
    items = iter(found)
    between()
    length = len(found)
    return sum(1 for _ in items), length


def test_a_length_after_a_change_is_that_of_the_present(calendar: Calendar, clock: Clock) -> None:
    """An iterator shows the state in which it was made; a length asked for later counts anew."""
    found = calendar.find_available(12, 15)
    assert both(found, lambda: None) == (7, 7)
    assert both(found, lambda: calendar.book(0, 12, 13)) == (7, 6)
    assert both(found, lambda: calendar.add_resource(Resource("new"))) == (6, 7)
    assert both(found, lambda: setattr(clock, "now", 100)) == (7, 8)  # the hold runs out

    def hint(change: Callable[[], Any] | None) -> int:
        """Ask for an iterator and for the length by one and the same instruction, as `list` does."""
        answers: list[Any] = []
        for ask, before in ((found.__iter__, None), (found.__len__, change)):
            if before is not None:
                before()
            answers.append(ask())
        length: int = answers[1]
        return length

    assert hint(None) == 8
    assert hint(lambda: calendar.book(1, 12, 13)) == 7
    with calendar.what_if():
        assert hint(lambda: calendar.book(3, 12, 13)) == 6
        assert hint(lambda: calendar.book(4, 12, 13)) == 5
    assert len(found) == 7
