"""`Selection`: a set of resources given by a term, which is evaluated when the selection is read.

free = calendar.find_available(monday, friday)      nothing is computed
cheap = calendar.index("price").between(50, 120)    nothing is computed
(free & cheap).first(10)                            evaluated, for the calendar as it is now
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, overload

from bookcore.engine.engine import UNSET
from bookcore.model.errors import QueryError, blaming
from bookcore.model.generic import Generic, R
from bookcore.model.numpy_scalars import python_int
from bookcore.model.term import And, Between, OneOf, Or, Term, Xor, as_term, opposite
from bookcore.model.typecheck import is_a, plain_text
from bookcore.query.planner import Planner


class Selection(Generic[R]):
    """A set of resources of one calendar, given by a term that is evaluated each time the selection is read.

    Iteration yields the resources in order of registration, or as `order_by` says, from one consistent state, even if the
    calendar changes meanwhile. Selections combine like sets (``&``, ``|``, ``-``, ``^``, ``~``), with each other and with
    collections of resources or ids; the result is a selection in order of registration.

    Raises, when read: `KeyTypeError` when the calendar's keys are of another family by then, and the errors of the calls
    that made it. When combined: `QueryError` for a selection of another calendar. Complexity: making and combining take
    O(1). Reading takes a few integer operations on n bits for each term, for a span as `OccupancyIndex.busy`, and
    O(answers) to list them. ``in`` and a short `first` check resources one by one.

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar()
    >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
    >>> free = calendar.find_available(9, 12)
    >>> stay = calendar.book("cabin", 9, 12)
    >>> len(free), "cabin" in free, (free - ["barn"]).ids(), (~free).ids()
    (2, False, ['loft'], ['cabin'])
    """

    __slots__ = ("_hint", "_home", "_order", "_planner", "_term")
    _is_selection = True

    def __init__(self, planner: Planner, term: Term, order: str | Callable[[Any], Any] | None = None) -> None:
        self._planner = planner
        self._home = planner.state.home  # the calendar
        self._term = term
        self._order = order
        self._hint: tuple[Any, int] | None = None

    # -- reading -----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[R]:
        resources = self._planner.select(self._term, self._order, None)
        self._hint = self._caller(), len(resources)
        return iter(resources)

    def __len__(self) -> int:
        # `list(selection)` calls `__iter__` and then `__len__`, for a hint. Both calls come from the same instruction of
        # the program; in this case, and if nothing has changed meanwhile, the term is not evaluated again.
        hint, self._hint = self._hint, None
        if hint is not None and hint[0] == self._caller():
            return hint[1]
        return self._planner.count(self._term)

    def _caller(self) -> tuple[Any, ...]:
        """Return the instruction that called a method of this selection, and the calendar's version."""
        frame = sys._getframe(2)
        return frame.f_code, id(frame), frame.f_lasti, self._planner.state.gate.version

    def count(self) -> int:
        """Return the number of resources, without building the list; same as ``len``.

        Raises, Complexity: see the class.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
        >>> calendar.find_available(9, 12).count()
        3
        """
        return self._planner.count(self._term)

    def __bool__(self) -> bool:
        return bool(self._planner.select(self._term, None, 1))

    def __contains__(self, resource: object) -> bool:
        return self._planner.matches(self._term, resource)

    @overload
    def first(self) -> R | None: ...

    @overload
    def first(self, n: int) -> list[R]: ...

    def first(self, n: int = UNSET) -> Any:
        """Return the first resource, or None; with *n* a list of the first *n*, or of all if there are fewer.

        Raises: `QueryError` unless *n* is an int of at least 0; otherwise see the class.
        Complexity: about O(n) when many resources match; after `order_by`, as reading the whole selection.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
        >>> calendar.find_available(9, 12).first(), calendar.find_available(9, 12).first(2)
        (Resource(id='barn'), [Resource(id='barn'), Resource(id='cabin')])
        """
        if n is UNSET:
            return next(iter(self._planner.select(self._term, self._order, 1)), None)
        count = python_int(n)
        if count is None or count < 0:
            raise QueryError(n, "first(n) takes how many, an int of at least 0")
        return self._planner.select(self._term, self._order, count)

    if not TYPE_CHECKING:  # a type checker refuses ``selection[0]`` by itself
        __reversed__ = None

        def __getitem__(self, at):
            raise QueryError(self, "is asked anew each time, so it has no places: first(), first(n), list(selection)[...]")

    def ids(self) -> list[Any]:
        """Return the ids of the resources, in the same order as iteration.

        Ids are as they were when the resources were added. Raises, Complexity: see the class.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = calendar.add_resource(Resource("loft")), calendar.add_resource(Resource("barn"))
        >>> calendar.resources.ids()
        ['loft', 'barn']
        """
        return self._planner.select(self._term, self._order, None, "ids")

    # -- combining ---------------------------------------------------------------------------------

    def order_by(self, by: str | Callable[[R], Any]) -> Selection[R]:
        """Return the same resources in order of an index, given by name, or of a key function.

        Resources with equal values stay in order of registration. Resources without a value (the key function raised
        AttributeError or LookupError, or returned None or NaN) come last. A key function given here is called without the
        calendar's lock.

        Raises: `QueryError` when *by* is neither a string nor callable; when read, `IndexNameError`, or `QueryError` when
        the key function raises another exception or its values cannot be ordered.
        Complexity: O(1) until the selection is read; then O(n) by an index, O(answers x log answers) by a key function.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name, seats)) for name, seats in (("van", 9), ("bus", 50), ("car", 5))]
        >>> calendar.resources.order_by(lambda vehicle: vehicle.capacity).ids()
        ['car', 'van', 'bus']
        """
        name = plain_text(by)
        if name is None and not callable(by):
            raise QueryError(by, "order_by takes the name of an index or a key function")
        return Selection(self._planner, self._term, by if name is None else name)

    def _other(self, other: object) -> Term | None:
        """Return the term of the other operand, or None if it is not supported."""
        if is_a(other, (Iterable, type)) and not is_a(other, (str, bytes)):
            return as_term(other, self._home)
        return None

    def __and__(self, other: object) -> Selection[R]:
        term = self._other(other)
        return NotImplemented if term is None else Selection(self._planner, And((self._term, term)))

    def __or__(self, other: object) -> Selection[R]:
        term = self._other(other)
        return NotImplemented if term is None else Selection(self._planner, Or((self._term, term)))

    def __sub__(self, other: object) -> Selection[R]:
        term = self._other(other)
        return NotImplemented if term is None else Selection(self._planner, And((self._term, opposite(term))))

    def __rsub__(self, other: object) -> Selection[R]:
        term = self._other(other)
        return NotImplemented if term is None else Selection(self._planner, And((term, opposite(self._term))))

    def __xor__(self, other: object) -> Selection[R]:
        term = self._other(other)
        return NotImplemented if term is None else Selection(self._planner, Xor((self._term, term)))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Selection[R]:
        return Selection(self._planner, opposite(self._term))

    def __repr__(self) -> str:
        order = f", order_by {self._order!r}" if self._order is not None else ""
        return f"<Selection {self._term}{order}>"


class IndexView(Generic[R]):
    """One index of a calendar, to select resources by their values.

    Raises, when a selection is read: `KeyTypeError` for a value that cannot be compared with those of the index;
    `IndexNameError` when the index does not exist any more, because the transaction that made it was undone.
    Complexity: O(1) until a selection is read; then O(log n), and a bitmap for about every thousand values in the range.

    >>> from bookcore import Calendar, Resource
    >>> calendar = Calendar()
    >>> _ = [calendar.add_resource(Resource(name, seats)) for name, seats in (("van", 9), ("bus", 50), ("car", 5))]
    >>> seats = calendar.create_index("seats", key=lambda vehicle: vehicle.capacity)
    >>> seats.between(5, 9).ids(), seats.equal(50).ids(), seats.one_of([5, 50]).ids()
    (['van', 'car'], ['bus'], ['bus', 'car'])
    """

    __slots__ = ("_planner", "name")

    def __init__(self, planner: Planner, name: str) -> None:
        self._planner, self.name = planner, name

    def between(self, low: Any, high: Any) -> Selection[R]:
        """Return the resources with ``low <= value <= high``; None means no limit on that side.

        There are none where *low* is above *high*.

        Raises, when the selection is read: `QueryError` for a NaN; otherwise see the class.
        """
        return Selection(self._planner, Between(self.name, low, high))

    def equal(self, value: Any) -> Selection[R]:
        """Return the resources with this value. None and NaN match nothing, because they are not indexed."""
        return Selection(self._planner, OneOf(self.name, (value,)))

    def one_of(self, values: Iterable[Any]) -> Selection[R]:
        """Return the resources whose value is in *values*; None and NaN match nothing.

        Raises: `QueryError` when *values* cannot be iterated, or is one text. Complexity: as `equal` for each value.
        """
        return Selection(self._planner, OneOf(self.name, listed_values(values)))

    def __repr__(self) -> str:
        return f"<IndexView {self.name!r}>"


def listed_values(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values given to ``one_of``. Raises: `QueryError`, also for a text, whose letters are not meant."""
    if is_a(values, (str, bytes)):
        raise QueryError(values, "is one text: one_of takes an iterable of values, equal takes one")
    with blaming(lambda exc: QueryError(values, f"one_of takes an iterable of values ({type(exc).__name__})")):
        return tuple(values)
