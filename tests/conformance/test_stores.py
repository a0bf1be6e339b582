"""The stores of the package pass the conformance suite that is shipped to users."""

from __future__ import annotations

from typing import Any

import pytest

from bookcore import MemoryStore
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing import SMALL, ListStore, StoreContract, small_store
from bookcore.testing.contract_store import BOUNDS, fail_everywhere


class TestMemoryStore(StoreContract):
    """The default store, at its usual sizes."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        """Give a fresh store."""
        return MemoryStore()


class TestSmallMemoryStore(StoreContract):
    """The default store, cutting and joining all the time."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        """Give a fresh store."""
        return MemoryStore(SMALL)


class TestTreeStore(StoreContract):
    """The interval trees."""

    @pytest.fixture
    def store(self) -> TreeStore:
        """Give a fresh store."""
        return TreeStore(SMALL)


class TestSortedStore(StoreContract):
    """The sorted lists."""

    @pytest.fixture
    def store(self) -> SortedStore:
        """Give a fresh store."""
        return SortedStore()


class TestListStore(StoreContract):
    """The list that others are compared with."""

    @pytest.fixture
    def store(self) -> ListStore:
        """Give a fresh store."""
        return ListStore()


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("call", ["put", "remove"])
@pytest.mark.parametrize(
    ("make", "capacity"),
    [
        (MemoryStore, 1), (TreeStore, 1), (TreeStore, 3), (SortedStore, 1), (SortedStore, 3), (ListStore, 1), (ListStore, 3),
    ],
)
def test_comparisons_that_fail_for_good_leave_the_store_as_it_was(
    make: Any, capacity: int, bounds: Any, call: str
) -> None:
    """All comparisons come before the first change, so that nothing has to be undone by comparing."""
    fail_everywhere(small_store(make), bounds, capacity, call, lasting=True)
