"""`StoreMachine`: random histories through several stores and the oracle, every answer compared after every step.

    from bookcore.testing import machine
    TestMine = machine(MemoryStore, MyStore, bounds="[]").TestCase

    rules_bookings     resources and bookings come and go; labels, an index
    rules_life         holds and a clock, moves, splits, closures, hours, requests, transactions within each other
    rules_questions    composed questions, one resource, what must be refused, files
    rules_time         gaps, slots, explanations; search never lies

A new capability is a rule there (or in a subclass) and a method of the oracle: see `BookingRules.book` for the shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import Phase, settings

from bookcore import BookingStore, QueryError
from bookcore.model.generic import Bounds
from bookcore.testing.families import Family, family
from bookcore.testing.history import HistoryMachine
from bookcore.testing.liststore import ListStore
from bookcore.testing.rules_bookings import BookingRules
from bookcore.testing.rules_life import LifeRules
from bookcore.testing.rules_questions import QuestionRules
from bookcore.testing.rules_time import TimeRules


class StoreMachine(BookingRules, LifeRules, QuestionRules, TimeRules):
    """One history with everything switched on."""

    def teardown(self) -> None:
        """Compare everything once more at the end of the history, the follower included."""
        try:
            self.end_all()
            for calendar in () if self.broken else (*self.calendars, self.follower):
                self.compare_all(calendar)
        finally:
            super().teardown()


def machine(
    *stores: Callable[[], BookingStore[Any]],
    bounds: Bounds = "[)",
    keys: Family | str = "int",
    sizes: Mapping[str, Any] | None = None,
    small: bool = True,
    base: type[HistoryMachine] = StoreMachine,
) -> Any:
    """Return a machine that runs histories through *stores* and a `ListStore`; its ``TestCase`` is what pytest collects.

    Each of *stores* is a class, or a function that makes a fresh store. ``small`` (the default) cuts the indexes' parts to a
    few entries, of ``sizes`` if given. After a history that failed, at most ``shrinks`` others (100) are played to make it
    shorter, so that the failure is reported soon; it may be longer than it could be.

    Raises: `QueryError` for what makes no stores, and for bounds that are none; LookupError for a family that is not there.

    >>> from bookcore import MemoryStore
    >>> machine(MemoryStore, bounds="[]").__name__
    'Machine_MemoryStore'
    """
    for store in stores:
        if not callable(store):
            raise QueryError(store, "makes no stores: give the class, or a function that returns a fresh one")
    if bounds not in ("[)", "[]"):
        raise QueryError(bounds, "bounds are '[)' or '[]'")
    found = family(keys) if isinstance(keys, str) else keys
    made: Any = type(
        "_".join(["Machine", *(getattr(store, "__name__", type(store).__name__) for store in stores)]),
        (base,),
        {"stores": (*stores, ListStore), "bounds": bounds, "family": found, "sizes": (sizes or {}) if small else None},
    )
    # to explain a failure Hypothesis would try more histories than `HistoryMachine.shrinks` lets it
    made.TestCase.settings = settings(made.TestCase.settings, phases=set(Phase) - {Phase.explain})
    return made
