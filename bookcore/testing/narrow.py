"""Stores that hold some families of keys: a test that hands them another key is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from typing import Any

import pytest

from bookcore.model.errors import QueryError
from bookcore.model.keys import kind_of, normal
from bookcore.testing.families import family

_KEYS = {
    "put": (1, 2), "remove": (1, 2), "overlapping": (1, 2), "is_free": (1, 2), "busy": (0, 1), "blocked_spans": (1, 2),
    "usage": (1, 2), "ends_after": (0, 2),
}  # fmt: skip
"""Which arguments of a store's methods are keys."""


def hold_only(store: Any, names: Sequence[str]) -> None:
    """Let a store skip the test that is running when it is handed a key that is of none of these families.

    Raises: `QueryError` when whole numbers are not among them, LookupError for a family that there is not.
    """
    if "int" not in names:
        raise QueryError(names, "the conformance suite speaks in whole numbers: a store that it judges holds 'int'")
    kinds = [kind_of(normal(form(1))) for name in names for form in family(name).forms]
    cls = type(store)
    methods: dict[str, Any] = {"__slots__": ()}
    for name, places in _KEYS.items():
        if hasattr(cls, name):
            methods[name] = _checking(getattr(cls, name), kinds, partial(_at, places))
    if hasattr(cls, "load"):
        methods["load"] = _checking(cls.load, kinds, lambda args: [*args[1], *args[2]])
    store.__class__ = type(cls.__name__, (cls,), methods)


def _at(places: Sequence[int], args: Sequence[Any]) -> list[Any]:
    return [args[at] for at in places if at < len(args)]


def _checking(method: Any, kinds: Sequence[Any], keys: Callable[[Any], Iterable[Any]]) -> Any:
    """Return a method that skips the test where one of its keys is of none of some kinds."""

    @wraps(method)
    def checked(store: Any, *args: Any, **options: Any) -> Any:
        for key in keys(args):
            if key is not None and not _is_of(key, kinds):
                pytest.skip(f"the store does not hold keys such as this {type(key).__name__}")
        return method(store, *args, **options)

    return checked


def _is_of(key: Any, kinds: Sequence[Any]) -> bool:
    try:
        return kind_of(key) in kinds
    except Exception:  # a hostile key
        return False
