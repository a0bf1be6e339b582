"""Random histories through every store of the package and the oracle: each family of keys, both bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from bookcore import MemoryStore
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore
from bookcore.testing import SMALL, families, machine

MOST = settings().max_examples
JOINING: dict[str, Any] = {"occupancy": {**SMALL.occupancy, "smallest": 32}, "split": 2, "overlapping": 2}


@pytest.mark.parametrize("bounds", ["[)", "[]"])
@pytest.mark.parametrize(
    ("keys", "sizes"),
    [("int", {}), ("int", JOINING), ("aware", {}), ("own", {})],
    ids=["cutting", "joining", "with hours", "with comparisons that fail or call"],
)
def test_stores_and_oracle_agree_on_random_histories(bounds: Any, keys: str, sizes: dict[str, Any]) -> None:
    """In indexes that cut themselves every few entries, in larger ones that join; with times, that have opening hours."""
    walk = machine(MemoryStore, TreeStore, SortedStore, bounds=bounds, keys=keys, sizes=sizes)
    run_state_machine_as_test(walk, settings=settings(max_examples=MOST // 2))


@pytest.mark.parametrize("bounds", ["[)", "[]"])
def test_stores_and_oracle_agree_at_their_usual_sizes(bounds: Any) -> None:
    """As in production, where the calendar takes other ways for few resources than for many."""
    walk = machine(MemoryStore, TreeStore, SortedStore, bounds=bounds, small=False)
    run_state_machine_as_test(walk, settings=settings(max_examples=MOST // 5))


OTHERS = [family for family in families() if str(family) not in ("int", "aware", "own")]
"""The families of keys that have no more histories of their own above, of which these would be the first few."""


@pytest.mark.parametrize("at", range(len(OTHERS)), ids=map(str, OTHERS))
def test_stores_and_oracle_agree_with_every_other_family_of_keys(at: int) -> None:
    """Each family takes one of the bounds; all of them together take both."""
    walk = machine(MemoryStore, TreeStore, SortedStore, bounds=("[)", "[]")[at % 2], keys=OTHERS[at])
    run_state_machine_as_test(walk, settings=settings(max_examples=max(MOST // 10, 3)))
