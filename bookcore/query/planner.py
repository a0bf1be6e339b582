"""From a question to a bitmap of resource numbers.

Every function takes the term and the numbers it may choose from, and returns those of them that match. So a
conjunction narrows as it goes, cheap terms first, and by the time availability is asked for, a handful of
candidates may be left, which are then asked one by one instead of reading the timeline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bookcore.engine.registry import Registry
from bookcore.index.attribute_index import is_nan
from bookcore.index.bitmap import from_ordinals, pick
from bookcore.model.errors import QueryError, brief
from bookcore.model.term import (
    All,
    And,
    Available,
    Between,
    Kind,
    Members,
    Not,
    OneOf,
    Or,
    Tagged,
    Term,
    Xor,
)

__all__ = ["Answers", "pick_first", "sorted_by"]


class Answers:
    """Answers terms over one catalog; availability is asked of the calendar through *available*."""

    __slots__ = ("_available", "_by_term", "_catalog")

    def __init__(self, catalog: Registry, available: Callable[[Available, int], int]) -> None:
        self._catalog = catalog
        self._available = available
        self._by_term: dict[type[Term], Callable[[Any, int], int]] = {
            All: lambda term, within: within,
            Kind: lambda term, within: catalog.of_kind(term.cls, within),
            Tagged: lambda term, within: within & catalog.tagged(term.label),
            Between: lambda term, within: within & catalog.index(term.index).between(term.low, term.high),
            OneOf: lambda term, within: within & catalog.index(term.index).one_of(term.values),
            Available: available,
            Members: self._members,
            Not: lambda term, within: within ^ self.evaluate(term.term, within),
            And: self._and,
            Or: self._or,
            Xor: lambda term, within: self.evaluate(term.left, within) ^ self.evaluate(term.right, within),
        }

    def evaluate(self, term: Term, within: int) -> int:
        """Return the numbers in *within* that match. A few integer operations a term, see `OccupancyIndex.busy`."""
        return self._by_term[type(term)](term, within)

    def narrow(self, term: Term, within: int) -> tuple[int, Term]:
        """Answer the cheap part of a conjunction; return who is left, and the question that is left (`All`: none)."""
        parts = term.terms if isinstance(term, And) else (term,)
        rest = []
        for part in parts:
            if _cost(part) == _DEAR:
                rest.append(part)
            else:
                within = self.evaluate(part, within)
        return within, rest[0] if len(rest) == 1 else And(tuple(rest)) if rest else All()

    def _members(self, term: Members, within: int) -> int:
        try:
            found = list(map(self._catalog.by_id.get, term.ids))
        except Exception as exc:  # the object's own code
            raise QueryError(term, f"has something that cannot be compared with ids ({type(exc).__name__})") from exc
        return within & from_ordinals([entry.number for entry in found if entry is not None], self._catalog.size)

    def _and(self, term: And, within: int) -> int:
        for part in sorted(term.terms, key=_cost):
            if not within:
                break
            within = self.evaluate(part, within)
        return within

    def _or(self, term: Or, within: int) -> int:
        result = 0
        for part in term.terms:
            result |= self.evaluate(part, within ^ result)
        return result


_DEAR = 3


def _cost(term: Term) -> int:
    """Return how late in a conjunction a term is asked: bitmaps at hand, then scans, then the timeline."""
    if isinstance(term, All | Kind | Tagged):
        return 0
    if isinstance(term, Between | OneOf | Members):
        return 1
    if isinstance(term, Available):
        return _DEAR
    if isinstance(term, Not):
        return _cost(term.term)
    if isinstance(term, Xor):
        return max(_cost(term.left), _cost(term.right))
    if isinstance(term, And | Or):
        return max(map(_cost, term.terms), default=0)
    return 2


def pick_first(bits: int, objects: list[Any], n: int) -> list[Any]:
    """Return the first *n* objects of *bits*, reading it 4,096 numbers at a time."""
    found: list[Any] = []
    base = 0
    while len(found) < n and bits:
        some = bits & ((1 << 4096) - 1)
        found += pick(some, objects[base : base + some.bit_length()])
        bits >>= 4096
        base += 4096
    return found[:n]


def sorted_by(found: list[Any], key: Callable[[Any], Any], shown: list[Any] | None = None) -> list[Any]:
    """Return *found* in order of *key*, stable, those without a value last; or what is *shown* for each of them."""
    valued, missing = [], []
    for resource, thing in zip(found, found if shown is None else shown, strict=True):
        try:
            value = key(resource)
            has = value is not None and not is_nan(value)
        except (AttributeError, LookupError):
            has = False
        except Exception as exc:
            raise QueryError(resource, f"the key of order_by raised {type(exc).__name__}: {exc}") from exc
        if has:
            valued.append((value, thing))
        else:
            missing.append(thing)
    try:
        valued.sort(key=lambda pair: pair[0])
    except Exception as exc:
        raise QueryError(key, f"order_by got values that cannot be ordered: {brief(str(exc))}") from exc
    return [thing for _, thing in valued] + missing
