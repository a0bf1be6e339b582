"""`journal_machine`: random histories of a calendar that is closed and opened anew at random steps.

    step              oracle      Calendar(List)      Calendar.open(place)      follower
    book(3, 2, 7)     id 5        event 5             event 5                   applies what it gets
    open anew         -           -                   closed, another object    subscribes to that one
    book(3, 6, 9)     refused     ConflictError       ConflictError             -
    after every step  every answer, and one digest of the opened calendar and of the follower

What is a function of the program is given anew, as a program does: indexes, subscribers, values that were assigned to a
resource after it had been added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bookcore import Calendar
from bookcore.testing.machine import StoreMachine, machine
from bookcore.testing.questions import INDEX, KINDS


class JournalMachine(StoreMachine):
    """Base of the machines that `journal_machine` makes. The last of ``self.calendars`` is the one with a journal."""

    opening: ClassVar[Callable[..., Calendar]]
    new_place: ClassVar[Callable[[], Any]]

    def new_calendars(self) -> list[Calendar]:
        """Return those of the stores, and one that is opened."""
        self.place = type(self).new_place()
        return [*super().new_calendars(), self.opened()]

    def opened(self) -> Calendar:
        """Open the calendar."""
        return type(self).opening(self.place, types=KINDS.values(), clock=self.clock, bounds=self.bounds)

    def teardown(self) -> None:
        """Open it once more at the end of the history."""
        try:
            self.end_all()
            if not self.broken:
                self.open_anew("close")
        finally:
            super().teardown()
            self.calendars[-1].close()

    @precondition(lambda self: not self.open)
    @rule(way=st.sampled_from(["close", "close", "checkpoint", "barrier"]))
    def open_anew(self, way: str) -> None:
        """Close the calendar and open it anew: it is at the same position, and in the same state."""
        before = self.calendars[-1]
        before.barrier()  # holds that a question found to have run out are in the next record
        digest, position = before.digest(), before.position
        if way == "checkpoint":
            before.checkpoint()
        before.close()
        after = self.calendars[-1] = self.opened()
        for old, new in zip(before.resources, after.resources, strict=True):
            if "value" in getattr(old, "__dict__", ()):
                new.value = old.value
        if self.oracle.indexed:
            after.create_index(INDEX, key=lambda resource: resource.value)
        if self.oracle.by_units:
            after.create_booking_index("units", key=lambda event: event.quantity)
        after.subscribe(self.follow)
        for id, copies in self.events.items():
            copies[-1] = after.get(id)
        for closure in after.closures():
            self.closures[closure.id][-1] = closure
        self.same(after, "position", after.position, position)
        self.same(after, "digest()", after.digest(), digest)

    @precondition(lambda self: not self.open)
    @rule()
    def open_anew_again(self) -> None:
        """Do it again: a second rule, so that it is drawn more often."""
        self.open_anew("close")


def journal_machine(
    new_place: Callable[[], Any], opening: Callable[..., Calendar] = Calendar.open, **options: Any
) -> Any:
    """Return a machine whose histories run through ``opening(place)`` as well; see `machine` for the *options*.

    *new_place* returns a place at which there is no calendar yet, another one each time. *opening* takes the arguments
    ``types``, ``clock`` and ``bounds`` of `Calendar.open`.

    >>> journal_machine(lambda: "somewhere", keys="aware").__name__
    'Machine'
    """
    facts = {"opening": staticmethod(opening), "new_place": staticmethod(new_place)}
    return machine(base=type("JournalMachine", (JournalMachine,), facts), **options)
