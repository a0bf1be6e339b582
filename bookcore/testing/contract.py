"""`StoreContract`: the conformance suite that a store must pass to be used by a `Calendar`.

    import pytest
    from bookcore.testing import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            return MyStore()

pytest collects the test of every promise. A subclass may add tests but must not override one. Tests of a capability
(`SupportsAvailability`, `SupportsLoad`) are skipped for a store without it; ``-rs`` prints the reason.

    part               asks
    StoreExam          the store itself: order, reference, atomicity, errors, keys of every family
    CalendarExam       each call and each error of `Calendar(store)`
    SpanExam           spans, keys of every family
    EventExam          event classes of the user's own
    LifeExam           units, moves, splits, the same request twice
    HoldExam           holds and their deadlines
    ClosingExam        closures, opening hours, buffers
    ChangeExam         transactions, what-if, many requests at once
    TellingExam        subscribers, and calendars that follow another
    AnyExam            book_any: one booking on any of several resources
    TimeExam           gaps, slots, explanations: finding time
    SelectionExam      find, terms, tags, order
    IndexExam          indexes: ranges, values, what they refuse
    LawExam            the seven laws, as examples
    ThreadExam         a hundred threads want one slot; reading while others write

A store that cannot hold all keys names the families that it holds::

        keys = ("int", "float", "naive", "aware")

Tests that hand it other keys are then skipped. Most tests speak in whole numbers, so ``"int"`` is one of them.

For random histories see `bookcore.testing.machine`, which takes one family.
"""

from __future__ import annotations

from typing import Any

import pytest

from bookcore.testing.contract_any import AnyExam
from bookcore.testing.contract_calendar import CalendarExam
from bookcore.testing.contract_changes import ChangeExam
from bookcore.testing.contract_closing import ClosingExam
from bookcore.testing.contract_events import EventExam
from bookcore.testing.contract_holds import HoldExam
from bookcore.testing.contract_indexes import IndexExam
from bookcore.testing.contract_laws import LawExam
from bookcore.testing.contract_life import LifeExam
from bookcore.testing.contract_selection import SelectionExam
from bookcore.testing.contract_spans import SpanExam
from bookcore.testing.contract_store import StoreExam
from bookcore.testing.contract_telling import TellingExam
from bookcore.testing.contract_threads import ThreadExam
from bookcore.testing.contract_time import TimeExam


class StoreContract(
    StoreExam,
    CalendarExam,
    SpanExam,
    EventExam,
    LifeExam,
    HoldExam,
    ClosingExam,
    ChangeExam,
    TellingExam,
    AnyExam,
    TimeExam,
    SelectionExam,
    IndexExam,
    LawExam,
    ThreadExam,
):
    """Subclass with a fixture ``store`` that returns a new, unbound store.

    ``keys`` are the names of the families of keys (`bookcore.testing.families`) that the store holds; None: all.
    """

    @pytest.fixture
    def store(self) -> Any:
        """Give a fresh store, bound to no calendar yet."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `store` that returns a fresh store")
