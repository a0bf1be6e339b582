"""When a resource cannot be booked, whatever its bookings say: closures and opening hours.

Neither is a booking, and neither touches one: what stands stays. Both are asked by the one predicate (`Core._room`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bookcore.engine.opening_hours import suits
from bookcore.engine.transactions import Transactions
from bookcore.model.errors import BookcoreError, HoursError, QueryError, UnknownClosureError
from bookcore.model.records import Closure
from bookcore.model.typecheck import is_a
from bookcore.query.selection import Selection
from bookcore.stores.record import ResourceRecord

__all__ = ["Closing"]


class Closing(Transactions):
    """The calls that close resources and give them hours. A mixin of `Calendar`."""

    # -- closures ----------------------------------------------------------------------------------

    def close(self, resource: Any, start: Any, end: Any, reason: str = "closed") -> Closure:
        """Close a resource for a span: nothing can be booked there any more. Return the closure, for `reopen`.

        Bookings that stand there already stay, and are listed in ``closure.overlapping``. Closures may overlap each other.

        Raises: `UnknownResourceError`, `InvalidSpanError`, `KeyTypeError`; `QueryError` when the reason is no text.
        Complexity: O(log m + bookings overlapped).

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> stay = calendar.book(calendar.add_resource(Resource("room")), 9, 12)
        >>> closure = calendar.close("room", 8, 10, "painting")
        >>> calendar.is_available("room", 8, 9), closure.overlapping == (stay,), stay.owns_lock
        (False, True, True)
        """
        if not is_a(reason, str):
            raise QueryError(reason, "the reason of a closure is a text")
        with self._writer():
            self._expire_if_due()
            entry = self._catalog.entry(resource)
            low, high = self._keys.admit(start, end)
            standing = tuple(self._store.overlapping(entry, low, high))
            self._closure_ids += 1
            closure = Closure(entry.resource, start, end, reason, self._closure_ids, standing)
            self._close(entry, low, high, closure)
            return closure

    def close_all(self, resources: Any, start: Any, end: Any, reason: str = "closed") -> tuple[Closure, ...]:
        """Close many resources (a selection, or an iterable of resources or ids) for a span, as one change.

        Returns the closures, in the order of the resources. One resource will do as well.

        Raises: as `close`, and nothing is closed; `QueryError` for a selection of another calendar, and for what cannot be
        iterated.
        Complexity: as `close` for each.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> barn, cabin = calendar.add_resource(Resource("barn")), calendar.add_resource(Resource("cabin"))
        >>> [closure.resource.id for closure in calendar.close_all(calendar.resources, 24, 27, "holidays")]
        ['barn', 'cabin']
        """
        with self.transaction():
            self._keys.admit(start, end)  # of nobody as well, the span is to be one
            return tuple(self.close(entry.resource, start, end, reason) for entry in self._each(resources))

    def reopen(self, closure: Closure) -> None:
        """Lift a closure: the very object that `close` returned, or `closures` does.

        Raises: `UnknownClosureError` when it does not stand in this calendar.
        Complexity: O(log m), and a pass through the other closures of the resource.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> closure = calendar.close(calendar.add_resource(Resource("room")), 8, 10)
        >>> calendar.reopen(closure)
        >>> calendar.is_available("room", 8, 10), calendar.closures()
        (True, ())
        """
        with self._writer():
            known = is_a(closure, Closure) and self._standing_closures.get(closure.id) is closure
            if not known:
                raise UnknownClosureError(closure)
            self._reopen(self._catalog.entry(closure.resource), closure)

    def closures(self, resource: Any = None) -> tuple[Closure, ...]:
        """Return the closures of a resource, by start, then in order of making; or all of them in order of making.

        Raises: `UnknownResourceError`.
        Complexity: O(answers) for one resource, O(answers x log answers) for all.

        >>> from bookcore import Calendar, Resource
        >>> calendar = Calendar()
        >>> room = calendar.add_resource(Resource("room"))
        >>> _ = calendar.close(room, 20, 22, "fair"), calendar.close(room, 8, 10, "painting")
        >>> [closure.reason for closure in calendar.closures(room)], [closure.reason for closure in calendar.closures()]
        (['painting', 'fair'], ['fair', 'painting'])
        """
        with self._lock:
            if resource is None:
                return tuple(sorted(self._standing_closures.values(), key=lambda closure: closure.id))
            return tuple(self._closures_of(self._catalog.entry(resource)))

    def _each(self, resources: Any) -> list[ResourceRecord]:
        """Return the entries of a resource, an id, a selection or an iterable of resources or ids; the lock is held."""
        try:
            return [self._catalog.entry(resources)]
        except BookcoreError:
            if is_a(resources, (str, bytes)) or not is_a(resources, (Iterable,)):
                raise
        if is_a(resources, Selection) and resources._calendar is not self:
            raise QueryError(resources, "belongs to another calendar")
        try:
            found = list(resources)
        except BookcoreError:
            raise
        except Exception as exc:
            raise QueryError(resources, f"could not be iterated ({type(exc).__name__})") from exc
        return [self._catalog.entry(resource) for resource in found]

    # -- opening hours -----------------------------------------------------------------------------

    def set_hours(self, resources: Any, hours: Any) -> None:
        """Let resources be booked only within opening hours (`bookcore.hours.Hours`); None lifts them.

        *resources* is one resource, a selection, or an iterable of resources or ids. Bookings that stand stay. However many
        resources share a rule, a search evaluates it once.

        Raises: `HoursError` when *hours* are none; `KeyTypeError` when the calendar holds keys that do not go with them, as
        whole numbers, or times without a zone where the hours have one (keys that come later, `book` refuses);
        `UnknownResourceError`; `QueryError` as `close_all`.
        Complexity: O(1) for each resource, and a pass through n bits for one that had hours before.

        >>> from datetime import datetime
        >>> from bookcore import Calendar, Resource
        >>> from bookcore.hours import Hours
        >>> calendar = Calendar()
        >>> desk = calendar.add_resource(Resource("desk"))
        >>> calendar.set_hours(desk, Hours({"mon-fri": "09:00-17:00"}))
        >>> monday = datetime(2026, 5, 4)
        >>> [calendar.is_available(desk, monday.replace(hour=h), monday.replace(hour=h + 1)) for h in (8, 9, 16, 17)]
        [False, True, True, False]
        """
        if hours is not None:
            from bookcore.hours.opening_hours import Hours

            if not is_a(hours, Hours):
                raise HoursError(hours, "is no bookcore.hours.Hours")
        with self.transaction():
            if hours is not None and not self._keys.suit(lambda key: suits(hours, key, None)):
                self._keys.suit(lambda key: hours.points(key, None))  # raises what says why
            for entry in self._each(resources):
                self._set_hours(entry, hours)
