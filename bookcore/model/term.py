"""Terms: conditions on resources, as frozen values that can be printed and compared, and refer to no calendar.

`Selection` builds terms, `bookcore.query.planner` evaluates them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from bookcore.model.errors import InvalidQuantityError, QueryError, brief
from bookcore.model.typecheck import is_a

__all__ = [
    "All",
    "And",
    "Available",
    "Between",
    "Kind",
    "Members",
    "No",
    "Not",
    "OneOf",
    "Or",
    "Tagged",
    "Term",
    "Xor",
    "check_quantity",
    "no",
]


DEAR = 3


class Term:
    """Base of all terms.

    ``parts`` are the terms that a term is composed of, ``size`` is the number of terms that it is written with. ``cost`` is
    its place in a conjunction: ready bitmaps first (0), then indexes (1), other terms, and availability (`DEAR`).
    """

    __slots__ = ()
    parts: tuple[Term, ...] = ()
    size = 1
    cost = 0


class _Composed(Term):
    """Base of terms that are composed of others. Size and cost are known at once, however often a part is repeated."""

    __slots__ = ("cost", "parts", "size")

    def _compose(self, *parts: Term) -> None:
        set_field = object.__setattr__  # the terms are frozen
        set_field(self, "parts", parts)
        set_field(self, "size", 1 + sum(part.size for part in parts))
        set_field(self, "cost", max((part.cost for part in parts), default=0))


@dataclass(frozen=True, slots=True)
class All(Term):
    """Every resource."""


@dataclass(frozen=True, slots=True)
class Kind(Term):
    """Instances of a class, its subclasses and virtual subclasses."""

    cls: type


@dataclass(frozen=True, slots=True)
class Tagged(Term):
    """Resources with a label."""

    label: Hashable


@dataclass(frozen=True, slots=True)
class Between(Term):
    """Resources whose value in an index is in ``[low, high]``; None: no limit."""

    cost = 1

    index: str
    low: Any
    high: Any


@dataclass(frozen=True, slots=True)
class OneOf(Term):
    """Resources whose value in an index is one of *values*."""

    cost = 1

    index: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Available(Term):
    """Resources that are available for *quantity* units over the span."""

    cost = DEAR

    start: Any
    end: Any
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Members(Term):
    """Resources with these ids; ids that are not in the calendar match nothing."""

    cost = 1

    ids: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Not(_Composed):
    """Resources that do not match the term."""

    term: Term

    def __post_init__(self) -> None:
        self._compose(self.term)


@dataclass(frozen=True, slots=True)
class And(_Composed):
    """Resources that match all terms."""

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        self._compose(*self.terms)


@dataclass(frozen=True, slots=True)
class Or(_Composed):
    """Resources that match at least one term."""

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        self._compose(*self.terms)


@dataclass(frozen=True, slots=True)
class Xor(_Composed):
    """Resources that match exactly one of two terms."""

    left: Term
    right: Term

    def __post_init__(self) -> None:
        self._compose(self.left, self.right)


def repeated(term: Term) -> list[Term]:
    """Return the composed terms that are parts of a term more than once, each after its own parts. O(distinct terms).

    >>> twice = Not(Tagged("sea"))
    >>> repeated(And((Or((twice, Tagged("lake"))), twice)))
    [Not(term=Tagged(label='sea'))]
    """
    seen: set[int] = set()
    again: set[int] = set()
    complete: list[Term] = []
    found = [(term, False)]
    while found:
        each, has_parts = found.pop()
        if has_parts:
            complete.append(each)
        elif id(each) in seen:
            again.add(id(each))
        elif each.parts:
            seen.add(id(each))
            found.append((each, True))
            found += [(part, False) for part in each.parts]
    return [each for each in complete if id(each) in again]


def opposite(term: Term) -> Term:
    """Return the negation of a term.

    >>> opposite(opposite(Tagged("sea")))
    Tagged(label='sea')
    """
    return term.term if isinstance(term, Not) else Not(term)


class No:
    """The result of `no`: the negation of an argument of `Calendar.find`, for any calendar."""

    __slots__ = ("term",)

    def __init__(self, term: Any) -> None:
        self.term = term

    def __repr__(self) -> str:
        return f"no({self.term!r})"


def no(term: Any) -> No:
    """Return the negation of a term, as an argument of `Calendar.find`. O(1).

    Raises nothing; `Calendar.find` raises `QueryError` if *term* is not a term.

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar()
    >>> _ = calendar.add_resource(Resource("loft")), calendar.add_resource(Resource("barn"))
    >>> calendar.tag("loft", "smoking")
    >>> calendar.find(Resource, no(calendar.tagged("smoking"))).ids()
    ['barn']
    """
    return No(term)


def as_term(value: Any, calendar: Any) -> Term:
    """Return the term for one argument of `Calendar.find`. Raises: `QueryError` if it is not a term."""
    if _is_selection(value):
        if value._home is not calendar:
            raise QueryError(value, "belongs to another calendar")
        term: Term = value._term
        return term
    if is_a(value, type):
        return Kind(value)
    if is_a(value, No):
        return opposite(as_term(value.term, calendar))
    if is_a(value, (str, bytes)):
        text = brief(value, 40)
        raise QueryError(value, f"is text, not a term; did you mean calendar.tagged({text}) or [{text}]?")
    if is_a(value, list):
        try:
            return _any_of(value, calendar)
        except RecursionError:
            raise QueryError(type(value), "a list nested too deeply, or in itself") from None
        except QueryError:
            raise
        except Exception as exc:  # the code of a subclass
            raise QueryError(value, f"could not be iterated: {type(exc).__name__}") from exc
    try:
        if is_a(value, (Iterable,)) and not hasattr(value, "id"):
            return Members(tuple(_id_of(item) for item in value))
    except QueryError:
        raise
    except Exception as exc:  # the object's own code
        raise QueryError(value, f"could not be iterated: {type(exc).__name__}") from exc
    raise QueryError(value, "is no term; terms are classes, selections, iterables of resources or ids, lists, no(...)")


def _any_of(values: list[Any], calendar: Any) -> Term:
    ids: list[Any] = []
    terms: list[Term] = []
    for value in values:
        if _is_term(value):
            terms.append(as_term(value, calendar))
        else:
            ids.append(_id_of(value))
    if ids or not terms:
        terms.append(Members(tuple(ids)))
    return terms[0] if len(terms) == 1 else Or(tuple(terms))


def _is_term(value: Any) -> bool:
    """Tell whether an element of a list is a term, and not a resource or an id (a tuple may be an id)."""
    kind = type(value)
    if kind is int or kind is str:  # what most ids are
        return False
    if issubclass(kind, (type, No, list, set, frozenset)) or _is_selection(value):
        return True
    try:
        return hasattr(kind, "__next__") and not hasattr(value, "id")
    except Exception as exc:  # the object's own code
        raise QueryError(value, f"is no term: {type(exc).__name__}") from exc


def _is_selection(value: Any) -> bool:
    """Tell whether *value* is a `Selection`, which this module cannot import."""
    try:
        return bool(getattr(type(value), "_is_selection", False))
    except Exception:  # the code of a metaclass
        return False


def _id_of(item: Any) -> Any:
    if type(item) is int or type(item) is str:  # what most ids are
        return item
    if type(item) is No or _is_selection(item):
        raise QueryError(item, "is a term, where resources or ids are expected; terms to choose from are given in a list")
    try:
        id = getattr(item, "id", item)
        hash(id)
    except Exception as exc:
        raise QueryError(item, "is neither a resource nor an id: it cannot be hashed") from exc
    return id


def check_quantity(quantity: Any) -> int:
    """Return *quantity* if it is an int of at least 1 (and not a bool), else raise `InvalidQuantityError`."""
    if type(quantity) is not int or quantity < 1:
        raise InvalidQuantityError(quantity)
    return quantity
