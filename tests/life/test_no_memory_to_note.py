"""A change that was applied, and that there is no memory to note, is taken back: nobody would undo it or hear of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from bookcore import Calendar, Resource


class _Full:
    """A list or a deque that takes nothing more."""

    def append(self, _: object) -> None:
        """Raise MemoryError."""
        raise MemoryError

    extend = append

    def __iadd__(self, _: object) -> Any:
        """Raise MemoryError."""
        raise MemoryError


class FullList(_Full, list[Any]):
    """See `_Full`."""


class FullDeque(_Full, deque[Any]):
    """See `_Full`."""


def filled() -> Calendar:
    calendar = Calendar(clock=lambda: 0)
    for name in ("room", "hall"):
        calendar.add_resource(Resource(name))
    calendar.add_resource(Resource("pool", capacity=3))
    calendar.book("room", 0, 2, id="stay")
    calendar.hold("hall", 0, 2, ttl=10, id="hold")
    calendar.close("pool", 50, 60)
    calendar.tag("room", "sea")
    return calendar


CALLS: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda c: c.book("room", 5, 6),
    "book by name": lambda c: c.book("pool", 5, 6, id="new", guest="Ada"),
    "hold": lambda c: c.hold("room", 5, 6, ttl=5),
    "remove": lambda c: c.remove_booking("stay"),
    "move": lambda c: c.move("stay", start=5, end=6),
    "move elsewhere": lambda c: c.move("stay", resource="hall", start=5, end=6),
    "change": lambda c: c.change("stay", guest="Bo"),
    "confirm": lambda c: c.confirm("hold"),
    "extend": lambda c: c.extend("hold", ttl=99),
    "close": lambda c: c.close("room", 8, 9),
    "reopen": lambda c: c.reopen(c.closures()[0]),
    "tag": lambda c: c.tag("hall", "lake"),
    "untag": lambda c: c.untag("room", "sea"),
    "set_capacity": lambda c: c.set_capacity("hall", 4),
    "add_resource": lambda c: c.add_resource(Resource("new")),
}


PLACES = [(name, "block") for name in CALLS] + [(name, "outbox") for name in CALLS if "tag" not in name]  # tags: blocks


@pytest.mark.parametrize("undoing", ["works", "fails"])
@pytest.mark.parametrize(("name", "where"), PLACES)
def test_a_change_that_cannot_be_noted_is_taken_back(
    name: str, where: str, undoing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, or by the next call if there is no memory to undo it either. The number that it had is given out again."""
    calendar, twin = filled(), filled()
    heard: list[Any] = []
    calendar.subscribe(heard.append)
    before, log, state = calendar.digest(), calendar._log, calendar._engine.state
    with monkeypatch.context() as patch:
        whole = type(state)._apply_whole

        def once(self: Any, change: Any) -> None:
            patch.setattr(type(state), "_apply_whole", fails)
            whole(self, change)

        def fails(self: Any, change: Any) -> None:
            raise MemoryError

        if undoing == "fails":
            patch.setattr(type(state), "_apply_whole", once)
        with pytest.raises(MemoryError):
            if where == "block":
                with calendar.transaction():
                    log.changes = FullList(log.changes or ())
                    CALLS[name](calendar)
            else:
                log.outbox = FullDeque(log.outbox)
                CALLS[name](calendar)
    log.outbox = deque(log.outbox)
    assert calendar.digest() == before
    assert heard == []
    calendar.check()
    for each in (calendar, twin):
        CALLS[name](each)
        each.book("hall", 70, 71)
    assert calendar.digest() == twin.digest()
    assert calendar.get(max(event.id for event in twin.bookings() if type(event.id) is int)).start == 70
    assert len(heard) == 2


def test_changes_of_a_block_for_which_there_is_no_outbox_are_delivered_by_the_next_call() -> None:
    """They stand: the block has ended."""
    calendar = filled()
    heard: list[str] = []
    calendar.subscribe(lambda change: heard.append(type(change).__name__))
    log = calendar._log
    log.outbox = FullDeque()
    with pytest.raises(MemoryError), calendar.transaction():
        calendar.tag("hall", "lake")
        calendar.book("room", 5, 6)
    log.outbox = deque()
    assert heard == []
    assert not calendar.is_available("room", 5, 6)
    assert heard == ["Tagged", "Booked"]
    assert calendar.tags_of("hall") == {"lake"}
    calendar.check()
    calendar.book("room", 6, 7)
    assert heard == ["Tagged", "Booked", "Booked"]
