"""Terms: conditions on resources, as values that can be printed, compared and pickled, and refer to no calendar.

`Selection` builds terms, `bookcore.query.planner` evaluates them. A program may join any number of terms, and nest them as
deep as it likes; so nothing here calls itself for the parts of a term, because Python limits how deep calls may be nested:
see `unwound`.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import is_
from types import GeneratorType
from typing import Any

from bookcore.model.closure import Closure
from bookcore.model.errors import LACKING, QueryError, blaming, brief, brief_text
from bookcore.model.event import BookingEvent
from bookcore.model.typecheck import is_a

DEAR = 3
"""The cost of availability."""


class Term:
    """Base of all terms.

    ``parts`` are the terms that it joins. ``cost`` is its position in a conjunction: ready bitmaps first (0), then indexes
    (1), and availability last (`DEAR`).
    """

    __slots__ = ()
    parts: tuple[Term, ...] = ()
    cost: int = 0


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
    """Resources with these ids; ids that are not in the calendar match nothing.

    ``given`` has the objects that were given, in place of their ids, if there are any: an object that is neither registered
    nor equal to one that is matches nothing, even if a resource has its id. A copy of the term is a term of the ids.
    """

    cost = 1
    ids: tuple[Any, ...]
    given: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Members, (self.ids,)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Joined(Term):
    """A term made of others, its *parts*. Equal to one of the same class with equal parts."""

    parts: tuple[Term, ...]
    cost: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cost", max([part.cost for part in self.parts], default=0))

    def __repr__(self) -> str:
        shown: dict[int, str] = {}
        for term in _with_parts(self):
            text = repr(term) if not issubclass(type(term), Joined) else (
                f"{type(term).__name__}({', '.join([shown[id(part)] for part in term.parts])})"
            )
            shown[id(term)] = brief_text(text, _SHOWN)
        return shown[id(self)]

    def __hash__(self) -> int:
        hashes: dict[int, int] = {}
        for term in _with_parts(self):
            joined = issubclass(type(term), Joined)
            hashes[id(term)] = hash((type(term), *[hashes[id(part)] for part in term.parts]) if joined else term)
        return hashes[id(self)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Joined):
            return NotImplemented
        pairs: list[tuple[Term, Term]] = [(self, other)]
        compared: set[tuple[int, int]] = set()
        while pairs:
            one, two = pairs.pop()
            if one is two or (id(one), id(two)) in compared:
                continue
            compared.add((id(one), id(two)))
            if type(one) is not type(two) or len(one.parts) != len(two.parts):
                return False
            if not issubclass(type(one), Joined) and one != two:
                return False
            pairs += zip(one.parts, two.parts, strict=True)
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        terms = list(_with_parts(self))
        places = {id(term): place for place, term in enumerate(terms)}
        return _joined_from, ([
            (type(term), [places[id(part)] for part in term.parts]) if issubclass(type(term), Joined) else term
            for term in terms
        ],)  # fmt: skip


_SHOWN = 400
"""The most characters of a joined term that its repr shows; it may be of any size."""


def _with_parts(term: Term) -> Iterator[Term]:
    """Yield a term and all the terms in it, each object once, the parts before what they are parts of."""
    waiting, done = [term], set[int]()
    while waiting:
        term = waiting[-1]
        ahead = [part for part in term.parts if id(part) not in done]
        if ahead:
            waiting += ahead
            continue
        waiting.pop()
        if id(term) not in done:
            done.add(id(term))
            yield term


def _joined_from(recipe: list[Any]) -> Term:
    """Return the last term of a list, in which a joined term is its class and the places of its parts: for pickle."""
    terms: list[Term] = []
    for item in recipe:
        terms.append(item if isinstance(item, Term) else item[0](tuple([terms[place] for place in item[1]])))
    return terms[-1]


class Not(Joined):
    """Resources that do not match the only part."""

    __slots__ = ()


class And(Joined):
    """Resources that match all parts."""

    __slots__ = ()


class Or(Joined):
    """Resources that match at least one part."""

    __slots__ = ()


class Xor(Joined):
    """Resources that match exactly one of two parts."""

    __slots__ = ()


def repeated(term: Term) -> list[Term]:
    """Return the composed terms that are parts of a term more than once, each after its own parts. O(distinct terms).

    >>> twice = Not((Tagged("sea"),))
    >>> repeated(And((Or((twice, Tagged("lake"))), twice)))
    [Not(Tagged(label='sea'))]
    """
    seen: set[int] = set()
    again: set[int] = set()
    complete: list[Term] = []
    waiting = [(term, False)]
    while waiting:
        each, has_parts = waiting.pop()
        if has_parts:
            complete.append(each)
        elif id(each) in seen:
            again.add(id(each))
        elif each.parts:
            seen.add(id(each))
            waiting.append((each, True))
            waiting += [(part, False) for part in each.parts]
    return [each for each in complete if id(each) in again]


def opposite(term: Term) -> Term:
    """Return the negation of a term.

    >>> opposite(opposite(Tagged("sea")))
    Tagged(label='sea')
    """
    return term.parts[0] if isinstance(term, Not) else Not((term,))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class No:
    """The result of `no`: the negation of an argument of `Calendar.find`, for any calendar."""

    term: Any

    def __repr__(self) -> str:
        nested, term = 1, self.term
        while type(term) is No and nested < _SHOWN:
            nested, term = nested + 1, term.term
        inner = "..." if type(term) is No else repr(term)
        return f"{'no(' * nested}{inner}{')' * nested}"


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
    term: Term = unwound(_term_of(value, calendar, set()))
    return term


def unwound(result: Any) -> Any:
    """Return *result*, or what a generator that it is returns; what such a generator yields is unwound in turn.

    A generator that yields a generator instead of calling a function needs no deeper stack of calls for it.

    >>> def depth(n):
    ...     return 0 if n == 0 else 1 + (yield depth(n - 1))
    >>> unwound(depth(10_000))
    10000
    """
    running: list[Generator[Any, Any, Any]] = []
    while True:
        if isinstance(result, GeneratorType):
            running.append(result)
            result = None
        elif not running:
            return result
        try:
            result = running[-1].send(result)
        except StopIteration as done:
            running.pop()
            result = done.value


Terms = Term | Generator[Any, Term, Term]
"""A term, or the steps to it, for `unwound`."""


def _term_of(value: Any, calendar: Any, inside: set[int]) -> Terms:
    """Return the term for one argument of `Calendar.find`; *inside* are the identities of the arguments that it is in."""
    if _is_selection(value):
        if value._home is not calendar:
            raise QueryError(value, "belongs to another calendar")
        term: Term = value._term
        return term
    if is_a(value, type):
        return Kind(value)
    if is_a(value, (No, list)):
        return _nested(value, calendar, inside)
    if is_a(value, (str, bytes)):
        text = brief(value, 40)
        raise QueryError(value, f"is text, not a term; did you mean calendar.tagged({text}) or [{text}]?")
    with blaming(lambda exc: QueryError(value, f"could not be read as a term: {type(exc).__name__}"), QueryError):
        named = has_id(value)
        if not named and is_a(value, (Iterable,)):
            return _members(value, calendar)
    what = f"is a resource, not a term; did you mean [{brief(value, 40)}]?" if named else "is no term"
    raise QueryError(value, f"{what}; terms are classes, selections, iterables of resources or ids, lists, no(...)")


def _nested(value: Any, calendar: Any, inside: set[int]) -> Generator[Terms, Term, Term]:
    if id(value) in inside:
        raise QueryError(type(value), "a term that contains itself")
    inside.add(id(value))
    if is_a(value, No):
        term = opposite((yield _term_of(value.term, calendar, inside)))
    else:
        with blaming(lambda exc: QueryError(value, f"could not be iterated: {type(exc).__name__}")):
            items = list(value)
        ids: list[Any] = []
        terms: list[Term] = []
        for item in items:
            if _is_term(item):
                terms.append((yield _term_of(item, calendar, inside)))
            else:
                ids.append(item)
        if ids or not terms:
            terms.append(_members(ids, calendar))
        term = terms[0] if len(terms) == 1 else Or(tuple(terms))
    inside.discard(id(value))
    return term


def _is_term(value: Any) -> bool:
    """Tell whether an element of a list is a term, and not a resource or an id (a tuple may be an id)."""
    kind = type(value)
    if kind is int or kind is str:  # what most ids are
        return False
    if issubclass(kind, (type, No, list, set, frozenset)) or _is_selection(value):
        return True
    try:
        return hasattr(kind, "__next__") and not hasattr(value, "id")
    except LACKING:
        raise
    except Exception as exc:  # the object's own code
        raise QueryError(value, f"is no term: {type(exc).__name__}") from exc


def _is_selection(value: Any) -> bool:
    """Tell whether *value* is a `Selection`, which this module cannot import."""
    try:
        return bool(getattr(type(value), "_is_selection", False))
    except LACKING:
        raise
    except Exception:  # the code of a metaclass
        return False


def has_id(value: Any) -> bool:
    """Tell whether an object has an ``id``, as resources have. Raises what its own code raises, but for AttributeError."""
    return hasattr(value, "id")


def _members(items: Iterable[Any], calendar: Any) -> Members:
    given = tuple(items)
    ids = tuple([_id_of(item, calendar) for item in given])
    return Members(ids) if all(map(is_, ids, given)) else Members(ids, given)


def _id_of(item: Any, calendar: Any) -> Any:
    if type(item) is int or type(item) is str:  # what most ids are
        return item
    if type(item) is No or _is_selection(item):
        raise QueryError(item, "is a term, where resources or ids are expected; terms to choose from are given in a list")
    if is_a(item, (BookingEvent, Closure)):  # their ids are never meant as those of resources
        raise QueryError(item, "is no resource; its .resource is one")
    try:
        id = getattr(item, "id", item) if calendar is None else calendar._id_of(item)
        hash(id)
        nested = is_a(item, (tuple, frozenset)) and id is item and calendar is not None and calendar._has_members(item)
    except LACKING:
        raise
    except Exception as exc:
        raise QueryError(item, "is neither a resource nor an id: it cannot be hashed") from exc
    if nested:
        raise QueryError(item, "is no id here, but has resources in it: several are given as a list of their own")
    return id
