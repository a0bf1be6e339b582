"""The conformance suites, with which a store and a journal are tested. Needs the extra ``testing`` (pytest, hypothesis).

    StoreContract    examples: subclass it with a fixture ``store``
    machine          random histories through several stores and the oracle
    JournalContract  examples and random histories for a journal: subclass it with a fixture ``new_place``
    journal_machine  random histories of a calendar that is closed and opened anew
    ListStore        a plain list as a store: the reference that other stores are compared with
    Oracle           what a calendar should answer, in whole numbers
    check_history    whether the answers that several processes got can be put into one order
    families         keys of every family; strategies: spans, strangers, hostile objects
    small_sizes      sizes with which every index splits its chunks after a few entries

Your own store passes when both do::

    class TestMine(StoreContract):
        @pytest.fixture
        def store(self):
            return MyStore()

    TestHistories = machine(MyStore).TestCase
"""

from pkgutil import iter_modules as _iter_modules

from bookcore.model.errors import MissingExtraError

try:
    import hypothesis as _hypothesis  # noqa: F401 - is it there?
    import pytest as _pytest  # noqa: PT013 - no name of this package
except ImportError as exc:
    raise MissingExtraError(exc.name or "pytest", "testing") from exc

# before the modules are imported, so that their assert statements say what differed
_parts = (part.name for part in _iter_modules(__path__, f"{__name__}.") if ".contract_" in part.name)
_pytest.register_assert_rewrite(*_parts)

from bookcore.testing.contract import StoreContract  # noqa: E402
from bookcore.testing.contract_journal import JournalContract  # noqa: E402
from bookcore.testing.contract_laws import fingerprint  # noqa: E402
from bookcore.testing.families import Family, families, family  # noqa: E402
from bookcore.testing.history import HistoryMachine  # noqa: E402
from bookcore.testing.linearizable import Call, Verdict, check_history  # noqa: E402
from bookcore.testing.liststore import ListStore  # noqa: E402
from bookcore.testing.machine import StoreMachine, machine  # noqa: E402
from bookcore.testing.oracle import Refused, Thing  # noqa: E402
from bookcore.testing.oracle_time import TimeOracle as Oracle  # noqa: E402
from bookcore.testing.questions import ask, expected, questions  # noqa: E402
from bookcore.testing.reopening import JournalMachine, journal_machine  # noqa: E402
from bookcore.testing.sizes import SMALL, small_sizes, small_store  # noqa: E402
from bookcore.testing.strategies import (  # noqa: E402
    IMPOSTORS,
    Hostile,
    any_family,
    histories,
    hostiles,
    nans,
    rank_spans,
    spans,
    strangers,
)

__all__ = [
    "IMPOSTORS",
    "SMALL",
    "Call",
    "Family",
    "HistoryMachine",
    "Hostile",
    "JournalContract",
    "JournalMachine",
    "ListStore",
    "Oracle",
    "Refused",
    "StoreContract",
    "StoreMachine",
    "Thing",
    "Verdict",
    "any_family",
    "ask",
    "check_history",
    "expected",
    "families",
    "family",
    "fingerprint",
    "histories",
    "hostiles",
    "journal_machine",
    "machine",
    "nans",
    "questions",
    "rank_spans",
    "small_sizes",
    "small_store",
    "spans",
    "strangers",
]
