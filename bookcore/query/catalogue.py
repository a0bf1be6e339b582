"""Selecting: questions as values, and the tags and indexes that they speak of."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from bookcore.engine.core import Core
from bookcore.model import change as changes
from bookcore.model.errors import (
    QueryError,
)
from bookcore.model.term import All, And, Available, Not, Tagged, Term, as_term, check_quantity
from bookcore.model.typecheck import plain_text
from bookcore.query.selection import IndexView, Selection

if TYPE_CHECKING:
    from bookcore.calendar import Calendar

__all__ = ["Selecting"]


class Selecting(Core):
    """The calls that make selections. A mixin of `Calendar`."""

    __slots__ = ()

    # -- finding -----------------------------------------------------------------------------------

    def find_available(self, start: Any, end: Any, *terms: Any, quantity: int = 1) -> Selection:
        """Return the resources for which `book` would succeed, among those that match all terms.

        Raises: `InvalidSpanError`, `KeyTypeError`, `InvalidQuantityError`; `QueryError` as `find`.
        Complexity: nothing until it is read; see `Selection` and `OccupancyIndex.busy`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
        >>> stay = calendar.book("cabin", 9, 12)
        >>> calendar.find_available(11, 14).ids(), calendar.find_available(11, 14, ["cabin", "loft"]).ids()
        (['barn', 'loft'], ['loft'])
        """
        return self._find(self._span_term(start, end, quantity), terms)

    def find_booked(self, start: Any, end: Any, *terms: Any) -> Selection:
        """Return the resources for which `book` would fail, among those that match all terms.

        Raises, Complexity: as `find_available`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name)) for name in ("barn", "cabin", "loft")]
        >>> stay = calendar.book("cabin", 9, 12)
        >>> booked = calendar.find_booked(11, 14)
        >>> booked.ids(), set(~booked) == set(calendar.find_available(11, 14))
        (['cabin'], True)
        """
        return self._find(Not(self._span_term(start, end, 1)), terms)

    def find(self, *terms: Any) -> Selection:
        """Return the resources that match all terms.

        A term is a class (its instances, and those of subclasses and virtual subclasses), a `Selection`, an iterable
        of resources or ids, a list of terms (any of them), or ``no(term)``. In a list a resource or an id, which may be
        a tuple, is a term as well. A protocol that can be asked only about objects is asked about each resource.

        Raises: `QueryError` for anything else; on reading, for a class that cannot be asked.
        Complexity: O(ids given); see `Selection` for reading it.

        >>> from bookcore import Calendar, Resource, no
        >>> class Flat(Resource): pass
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(one) for one in (Flat("barn"), Flat("loft"), Flat("mill"), Resource("car"))]
        >>> calendar.tag("mill", "sauna")
        >>> calendar.find(Flat, no(calendar.tagged("sauna"))).ids(), calendar.find(["car", calendar.tagged("sauna")]).ids()
        (['barn', 'loft'], ['mill', 'car'])
        """
        return self._find(None, terms)

    def _span_term(self, start: Any, end: Any, quantity: Any) -> Available:
        if not self._keys.is_plain(start, end):  # a question is made without the lock, if it can be
            with self._lock:
                self._keys.admit(start, end)
        return Available(start, end, check_quantity(quantity))

    def _find(self, first: Term | None, terms: tuple[Any, ...]) -> Selection:
        parts = [] if first is None else [first]
        parts += [as_term(term, self) for term in terms]
        if len(parts) == 1:
            return Selection(cast("Calendar", self), parts[0])
        return Selection(cast("Calendar", self), And(tuple(parts)) if parts else All())

    # -- tags and indexes --------------------------------------------------------------------------

    def tag(self, resource: Any, *labels: Hashable) -> None:
        """Put labels on a resource, all or none. Labels it has already stay. O(1).

        Raises: `UnknownResourceError`, `QueryError` for what cannot be hashed and compared.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> cabin = calendar.add_resource(Resource("cabin"))
        >>> calendar.tag(cabin, "lake", "sauna")
        >>> cabin in calendar.tagged("lake"), cabin in calendar.tagged("sea")
        (True, False)
        """
        self._label(resource, labels, True)

    def untag(self, resource: Any, *labels: Hashable) -> None:
        """Take labels off a resource, all or none. Labels it has not are ignored. Raises: as `tag`.

        Complexity: O(1), and a pass through n bits for each label that comes off.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> cabin = calendar.add_resource(Resource("cabin"))
        >>> calendar.tag(cabin, "lake", "sauna")
        >>> calendar.untag("cabin", "lake", "sea")
        >>> cabin in calendar.tagged("lake"), cabin in calendar.tagged("sauna")
        (False, True)
        """
        self._label(resource, labels, False)

    def _label(self, resource: Any, labels: tuple[Hashable, ...], on: bool) -> None:
        with self._writer():
            entry = self._catalog.entry(resource)
            for label in labels:
                try:
                    hash(label)
                except Exception as exc:
                    raise QueryError(label, "a label must be hashable") from exc
            put, take = self._catalog.tag, self._catalog.untag
            for label in (put if on else take)(entry, *labels):
                if self._noting:
                    change = (changes.Tagged if on else changes.Untagged)(entry.resource, label)
                    back: Any = partial(take if on else put, entry, label)
                    self._note(back, change)

    def tagged(self, label: Hashable) -> Selection:
        """Return the resources that carry the label; none where nobody ever carried it.

        Raises: `QueryError` for what cannot be hashed; on reading, for what cannot be compared with labels.
        Complexity: nothing until it is read; see `Selection`.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> calendar.tag(calendar.add_resource(Resource("cabin")), "lake")
        >>> calendar.tagged("lake").ids(), calendar.tagged("lak").ids()
        (['cabin'], [])
        """
        try:
            hash(label)
        except Exception as exc:
            raise QueryError(label, "a label must be hashable") from exc
        return Selection(cast("Calendar", self), Tagged(label))

    def create_index(self, name: str, *, key: Callable[[Any], Any]) -> IndexView:
        """Keep the resources in order of ``key(resource)``, to select by and to order by; return the index.

        *key* is asked once for each resource, now, when one is added and at `reindex`, under the calendar's lock. A
        resource for which it raises AttributeError or a lookup error, or gives None, NaN or a tuple with NaN in it, has no
        value: it is in no range and sorts last. Indexes are not part of a snapshot.

        Raises: `IndexNameError` when the name is taken, `KeyTypeError` when values cannot be ordered, `QueryError` for a
        name or a key that is none, and when *key* raises anything else.
        Complexity: O(n log n).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> _ = [calendar.add_resource(Resource(name, seats)) for name, seats in (("van", 9), ("bus", 50), ("car", 5))]
        >>> seats = calendar.create_index("seats", key=lambda vehicle: vehicle.capacity)
        >>> seats.between(8, None).order_by("seats").ids()
        ['van', 'bus']
        """
        text = plain_text(name)  # which it is looked up by: a subclass need not be hashable
        if text is None or not callable(key):
            raise QueryError(name if callable(key) else key, "create_index takes a name and key=a function")
        with self._writer():
            self._catalog.create_index(text, key)
            if self._undo is not None:
                back: Any = partial(self._catalog.indexes.pop, text, None)
                self._undo.append(back)
        return IndexView(cast("Calendar", self), text)

    def index(self, name: str) -> IndexView:
        """Return an index, to be asked for ``between``, ``equal`` or ``one_of``. Raises: `IndexNameError`. O(1).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> van = calendar.add_resource(Resource("van", 9))
        >>> seats = calendar.create_index("seats", key=lambda vehicle: vehicle.capacity)
        >>> calendar.index("seats").equal(9).ids()
        ['van']
        """
        with self._lock:
            self._catalog.index(name)
        return IndexView(cast("Calendar", self), name)

    def reindex(self, resource: Any) -> None:
        """Ask every index's key again for a resource whose attributes have changed; all indexes follow, or none.

        Undone with the transaction that it is in, as every change: the indexes then hold what they held.

        Raises: `KeyTypeError` when a value cannot be ordered among the others, `QueryError` when a key raises,
        `UnknownResourceError`.
        Complexity: O(log n) for each index.

        >>> from types import SimpleNamespace
        >>> from bookcore import Calendar
        >>> calendar = Calendar()
        >>> loft = calendar.add_resource(SimpleNamespace(id="loft", price=90))
        >>> cheap = calendar.create_index("price", key=lambda flat: flat.price).between(0, 80)
        >>> loft.price = 70
        >>> before = cheap.ids()
        >>> calendar.reindex(loft)
        >>> before, cheap.ids()
        ([], ['loft'])
        """
        with self._writer():
            entry = self._catalog.entry(resource)
            held = self._catalog.reindex(entry, self._undo is not None)
            if self._undo is not None:
                back: Any = partial(self._catalog.put_back, entry, held)
                self._undo.append(back)
