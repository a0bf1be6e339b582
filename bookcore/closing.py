"""When a resource cannot be booked, whatever its bookings say: closures and opening hours.

Neither is a booking, and neither touches one: what stands stays. Both are asked by the one predicate (`Core._room`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bookcore._kinds import is_a
from bookcore.entry import Entry
from bookcore.errors import BookcoreError, HoursError, QueryError, UnknownClosureError
from bookcore.model import Closure
from bookcore.selection import Selection
from bookcore.transactions import Transactions

__all__ = ["Closing"]


class Closing(Transactions):
    """The calls that close resources and give them hours. A mixin of `Calendar`."""

    # -- closures ----------------------------------------------------------------------------------

    def close(self, resource: Any, start: Any, end: Any, reason: str = "closed") -> Closure:
        """Close a resource for a span: nothing can be booked there any more. Return the closure, for `reopen`.

        Bookings that stand there already stay, and are listed in ``closure.overlapping``. Closures may overlap each other.

        Raises: as `is_available`; `QueryError` when the reason is no text.
        Complexity: O(log m + bookings overlapped).
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
        """Close many resources (a selection, or an iterable of resources or ids) for a span, as one change."""
        with self.transaction():
            return tuple(self.close(entry.resource, start, end, reason) for entry in self._each(resources))

    def reopen(self, closure: Closure) -> None:
        """Lift a closure. Raises: `UnknownClosureError` when it does not stand in this calendar."""
        with self._writer():
            known = is_a(closure, Closure) and self._standing_closures.get(closure.id) is closure
            if not known:
                raise UnknownClosureError(closure)
            self._reopen(self._catalog.entry(closure.resource), closure)

    def closures(self, resource: Any = None) -> tuple[Closure, ...]:
        """Return the closures of a resource, by start, or all of them in order of making."""
        with self._lock:
            if resource is None:
                return tuple(sorted(self._standing_closures.values(), key=lambda closure: closure.id))
            return tuple(self._closures_of(self._catalog.entry(resource)))

    def _each(self, resources: Any) -> list[Entry]:
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

        Raises: `HoursError` when *hours* are none; `UnknownResourceError`.
        """
        if hours is not None:
            from bookcore.hours import Hours

            if not is_a(hours, Hours):
                raise HoursError(hours, "is no bookcore.hours.Hours")
        with self.transaction():
            for entry in self._each(resources):
                self._set_hours(entry, hours)
