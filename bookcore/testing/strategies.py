"""Hypothesis strategies: keys and spans of every family, and every kind of argument that must be refused.

Spans are drawn as ranks (see `bookcore.testing.families`), so that an oracle can follow, from few enough of them that
bookings touch, nest and collide:

    touching   [2, 4) [4, 7)        nested   [2, 9) [4, 5)        hot spot   [3, 4) [3, 4) [3, 4)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any
from unittest.mock import MagicMock

from hypothesis import strategies as st

from bookcore import BookingEvent, Closure, Resource, Selection, changes
from bookcore.hours.opening_hours import Hours
from bookcore.testing.families import Family, OnlyLess, families

RankSpan = tuple[int | None, int | None]


@cache
def any_family(*, lengths: bool | None = None) -> st.SearchStrategy[Family]:
    """Draw a family of keys."""
    return st.sampled_from(families(lengths=lengths))


@cache
def rank_spans(bounds: str = "[)", low: int = 0, high: int = 40, *, unbounded: bool = True) -> st.SearchStrategy[RankSpan]:
    """Draw ``(start, end)`` as ranks: any span, short ones, ones on a coarse grid, a few hot ones, unbounded ones.

    *low* and *high* are about where spans lie: those on the grid of five may begin up to four before *low*, and a span
    that begins near *high* ends after it.
    """
    least = 0 if bounds == "[]" else 1

    def span(start: int, length: int) -> RankSpan:
        return start, start + max(length, least)

    drawn = [
        st.builds(span, st.integers(low, high), st.integers(least, max(least, (high - low) // 2))),
        st.builds(span, st.integers(low, high), st.integers(least, 3)),
        st.builds(lambda day, n: span(day * 5, n * 5), st.integers(low // 5, high // 5), st.integers(1, 3)),
        st.sampled_from([(low, low + 3), (low, low + 1), (low + 3, low + 6)]),
    ]
    if unbounded:
        ends = st.integers(low, high)
        drawn.append(
            st.one_of(
                st.builds(lambda end: (None, end), ends),
                st.builds(lambda start: (start, None), ends),
                st.just((None, None)),
            )
        )
    return st.one_of(drawn)


def spans(family: Family, bounds: str = "[)", **limits: Any) -> st.SearchStrategy[tuple[Any, Any]]:
    """Draw ``(start, end)`` as keys of a family, each in one of its spellings."""
    forms = st.integers(0, len(family.forms) - 1)
    return st.builds(
        lambda span, one, two: (family.key(span[0], one), family.key(span[1], two)),
        rank_spans(bounds, **limits),
        forms,
        forms,
    )


@cache
def histories(
    bounds: str = "[)", *, resources: int = 4, most: int = 30, unbounded: bool = True
) -> st.SearchStrategy[list[tuple[int, int | None, int | None]]]:
    """Draw what to try to book, in order: ``(resource id, start, end)``, the ids below *resources*, ends as ranks."""
    step = st.builds(
        lambda id, span: (id, *span), st.integers(0, resources - 1), rank_spans(bounds, unbounded=unbounded)
    )
    return st.lists(step, max_size=most)


class Hostile:
    """An object whose own methods fail: each name given raises ZeroDivisionError when Python calls it.

    >>> Hostile("__lt__") < 3
    Traceback (most recent call last):
    ZeroDivisionError: __lt__
    """

    METHODS = (
        "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__repr__", "__str__", "__iter__",
        "__next__", "__len__", "__bool__", "__getattr__", "__contains__", "__call__", "__index__", "__instancecheck__",
    )  # fmt: skip

    def __new__(cls, *names: str) -> Any:
        """Make an object whose methods of these names raise; all of `METHODS` if none is named."""
        return object.__new__(type("Hostile", (), {name: _raising(name) for name in names or cls.METHODS}))


def _raising(name: str) -> Any:
    def method(self: object, *args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError(name)

    return method


def _odd(base: type, value: Any, *names: str) -> Callable[[], Any]:
    """Return a maker of instances of a subclass of *base* whose methods of these names raise."""
    return partial(type(f"Odd_{base.__name__}", (base,), {name: _raising(name) for name in names}), value)


def _liar(cls: type) -> Callable[[], Any]:
    """Return a maker of objects that say they are of *cls*, which `isinstance` believes."""
    return type("Liar", (), {"__class__": property(lambda self: cls)})


class _SilentMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        if name.startswith("__") and name not in ("__class__", "__mro__", "__dict__"):
            return super().__getattribute__(name)
        raise ZeroDivisionError(name)


IMPOSTORS: dict[str, Callable[[], Any]] = {
    **{
        f"says it is a {cls.__name__}": _liar(cls)
        for cls in (
            datetime, date, time, timedelta, tuple, list, dict, str, int, float, type, Decimal,
            Closure, BookingEvent, Resource, Selection, Hours, changes.Booked,
        )
    },
    "says nothing of its class": type("Mute", (), {"__class__": property(_raising("__class__"))}),
    "says nothing at all": lambda: Hostile("__getattribute__"),
    "of an unhashable class": type("NoHash", (type,), {"__hash__": None})("Odd", (), {"__lt__": lambda one, other: False}),
    "of a class that says nothing": _SilentMeta("Silent", (), {}),
    "str that cannot be compared": _odd(str, "raise", "__eq__"),
    "str that cannot be hashed": _odd(str, "new", "__hash__"),
    "str that cannot be shown": _odd(str, "new", "__repr__", "__str__"),
    "str without methods": _odd(
        str, "mon-fri", "__eq__", "__ne__", "__hash__", "__repr__", "__str__", "__iter__", "__len__", "__contains__",
        "lower", "split", "strip", "__format__",
    ),
    "tuple that cannot be iterated": _odd(tuple, (1, 2), "__iter__"),
    "tuple that cannot be measured": _odd(tuple, (1, 2), "__len__", "__getitem__", "__iter__"),
    "list that cannot be iterated": _odd(list, [1, 2], "__iter__", "__len__"),
    "dict that cannot be read": _odd(dict, {"mon": None}, "__iter__", "keys", "items", "__getitem__", "pop", "__len__"),
    "int that cannot be compared": _odd(int, 3, "__eq__", "__lt__", "__gt__", "__le__", "__ge__", "__hash__"),
    "length that cannot be used": _odd(
        int, 3, "__add__", "__radd__", "__sub__", "__rsub__", "__eq__", "__ne__", "__lt__", "__bool__"
    ),
}  # fmt: skip
"""Functions that make objects of a wrong type that passes for a right one, or of a right type that cannot be used, by name.

Not among `strangers`: Hypothesis asks what it draws for its class, and some of these do not answer.
"""


class _Fickle:
    """Compares once or twice, then raises; equal to itself; hashable."""

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def __lt__(self, other: object) -> bool:
        self.patience -= 1
        if self.patience < 0:
            raise ZeroDivisionError("no more comparing")
        return self.patience % 2 == 0


class _BadId:
    """A resource-like object whose ``id`` is what it is given, or raises."""

    def __init__(self, value: Any = None) -> None:
        self._value = value

    @property
    def id(self) -> Any:
        if self._value is None:
            raise ZeroDivisionError("id")
        return self._value


def _endless_list() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


def _failing_iterator() -> Iterator[int]:
    yield 1
    raise ZeroDivisionError("half way")


class _RaisingMeta(type):
    def __subclasscheck__(cls, other: type) -> bool:
        raise ZeroDivisionError("__subclasscheck__")

    def __instancecheck__(cls, other: object) -> bool:
        raise ZeroDivisionError("__instancecheck__")


@cache
def hostiles() -> st.SearchStrategy[Any]:
    """Draw objects whose methods raise: one method, a few, or all of them."""
    return st.one_of(
        st.builds(Hostile),
        st.sampled_from(Hostile.METHODS).map(Hostile),
        st.lists(st.sampled_from(Hostile.METHODS), min_size=2, max_size=5, unique=True).map(lambda names: Hostile(*names)),
        st.integers(0, 3).map(_Fickle),
        st.builds(_BadId),
        st.builds(lambda: _BadId([])),
        st.builds(lambda: _BadId(Hostile("__hash__"))),
        st.builds(lambda: _BadId(Hostile("__eq__"))),
        st.builds(_endless_list),
        st.builds(_failing_iterator),
        st.builds(lambda: _RaisingMeta("Odd", (), {})),
    )


@cache
def nans() -> st.SearchStrategy[Any]:
    """Draw values that are equal to nothing, not even themselves."""
    found: list[Any] = [float("nan"), Decimal("nan"), Decimal("sNaN"), (1, float("nan"))]
    names = {family.name for family in families()}
    if "np.float64" in names:
        import numpy as np

        found += [np.float64("nan"), np.datetime64("NaT", "us")]
    if "pd.Timestamp" in names:
        import pandas as pd

        found += [pd.NaT]
    return st.sampled_from(found)


@cache
def strangers() -> st.SearchStrategy[Any]:
    """Draw any object at all: plain values of every type, keys of every family, containers, classes, hostile objects.

    Never an endless iterable: nothing that takes an iterable can refuse one.
    """
    keys = [one.key(3) for one in families()]
    values = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-3, 12),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=5),
        st.binary(max_size=3),
        st.sampled_from(keys),
        st.builds(object),
        st.just(Ellipsis),
        st.just(NotImplemented),
        nans(),
    )
    plain = [int, object, OnlyLess, Iterator, len, itertools.chain, lambda: None, lambda x: x, range(3), slice(1, 2)]
    return st.one_of(
        values,
        hostiles(),
        st.sampled_from(plain),
        st.builds(MagicMock),
        st.lists(values, max_size=3),
        st.lists(values, max_size=3).map(tuple),
        st.lists(values, max_size=3).map(iter),
        st.sets(st.integers(), max_size=3),
        st.frozensets(st.text(max_size=2), max_size=3),
        st.dictionaries(st.text(max_size=3), values, max_size=2),
        st.lists(hostiles(), max_size=2),
        st.lists(hostiles(), min_size=1, max_size=2).map(tuple),
    )
