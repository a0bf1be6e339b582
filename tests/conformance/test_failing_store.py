"""A store whose backend fails: an error of ours that says so, and everything as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookcore import BookcoreError, Calendar, KeyTypeError, MemoryStore, Resource, StoreError
from bookcore.testing import ListStore
from bookcore.testing.contract_laws import fingerprint


class Frail(ListStore):
    """Fails in the calls that are named."""

    def __init__(self, *failing: str) -> None:
        super().__init__()
        self.failing = set(failing)

    def __getattribute__(self, name: str) -> Any:
        """Return what fails when it is called, or what there is."""
        if not name.startswith("_") and name != "failing" and name in self.failing:

            def fail(*args: Any) -> Any:
                raise OSError("the disk is full")

            return fail
        return super().__getattribute__(name)


CALLS: dict[str, Callable[[Calendar], Any]] = {
    "put": lambda calendar: calendar.book("r", 1, 2),
    "remove": lambda calendar: calendar.remove_booking("stay"),
    "add_resource": lambda calendar: calendar.add_resource(Resource("new")),
    "remove_resource": lambda calendar: calendar.remove_resource("q"),
}


@pytest.mark.parametrize("name", CALLS)
def test_failure_of_a_backend_is_a_store_error(name: str) -> None:
    """Not the fault of the key that the caller gave; its closures stay with a resource that could not go."""
    store = Frail()
    calendar = Calendar(store)
    told: list[Any] = []
    for id in ("r", "q"):
        calendar.add_resource(Resource(id))
    calendar.book("r", 5, 7, id="stay")
    calendar.close("q", 1, 2, "paint")
    calendar.close("q", 4, 5, "floor")
    before = fingerprint(calendar)
    calendar.subscribe(told.append)
    store.failing.add(name)
    with pytest.raises(StoreError, match="disk is full") as caught:
        CALLS[name](calendar)
    assert caught.value.http_hint == 503
    store.failing.clear()
    assert fingerprint(calendar) == before
    assert told == []
    assert len(calendar.closures("q")) == 2
    calendar.check()
    CALLS[name](calendar)


def test_store_that_cannot_begin_is_refused() -> None:
    """By the same error."""
    with pytest.raises(StoreError, match="disk is full"):
        Calendar(Frail("bind"))


def test_failure_of_the_users_own_key_is_the_keys() -> None:
    """As it is known to be compared by code that is not the store's."""

    class Key:
        def __init__(self, at: int) -> None:
            self.at = at

        def __lt__(self, other: Any) -> bool:
            if Key.broken:
                raise RuntimeError("no")
            return bool(self.at < other.at)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Key) and self.at == other.at

        __hash__ = None  # type: ignore[assignment]
        broken = False

    calendar = Calendar(ListStore())
    calendar.add_resource(Resource("r"))
    stay = calendar.book("r", Key(1), Key(3))
    Key.broken = True
    with pytest.raises(KeyTypeError):
        calendar.book("r", Key(4), Key(5))
    Key.broken = False
    assert list(calendar.bookings()) == [stay]


@pytest.mark.parametrize("method", ["put", "is_free"])
def test_subclass_of_the_default_store_is_asked(method: str) -> None:
    """What it does in the place of `put` or `is_free` is done at every booking."""

    class Logged(MemoryStore):
        calls = 0

    def logged(store: Logged, *args: Any) -> Any:
        store.calls += 1
        return getattr(MemoryStore, method)(store, *args)

    setattr(Logged, method, logged)
    store = Logged()
    calendar = Calendar(store)
    room = calendar.add_resource(Resource("r"))
    for at in range(5):
        calendar.book((room, "r")[at % 2], at, at + 1)
    assert store.calls == 5
    with pytest.raises(BookcoreError):
        calendar.book("r", 0, 1)
    assert store.calls == (6 if method == "is_free" else 5)
    calendar.check()
