"""The axis that recurring spans are laid on: dates, naive datetimes, or the wall clock of a zone.

A rule counts *wall* points; keys are compared as *instants* (both are lengths since 1970, see `_wallclock`).
For dates and naive datetimes the two are the same. In a zone, `Axis.place` takes a wall point to its instant
by the policy for skipped and repeated times, and `Axis.shown` back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from bookcore.hours.wall_clock import EPOCH, EPOCH_UTC, change_between, load_zone, offsets
from bookcore.model.errors import HoursError, InvalidKeyError, KeyTypeError

__all__ = ["Axis", "axis_of"]


_UNSET: Final = timedelta.max


@dataclass(frozen=True, slots=True)
class Axis:
    """What keys are, where they lie, and what a wall-clock time means: decided by the first span's start.

    ``days``: keys are dates. ``zone``: keys are aware datetimes; None, naive ones or dates. ``first`` is the
    start: its wall point and its instant, which stands even if the policy would have read the wall time
    otherwise.
    """

    days: bool
    zone: tzinfo | None
    nonexistent: str
    ambiguous: str
    first: tuple[timedelta, timedelta] = (_UNSET, _UNSET)

    def instant(self, key: Any) -> timedelta:
        """Return where a key lies; a naive datetime in a zone is wall-clock time, a skipped one taken later.

        Raises: `KeyTypeError` for a key that does not go with the first span's, `InvalidKeyError` for NaT.
        """
        wall = self.wall(key)
        if self.zone is None:
            return wall
        if key.utcoffset() is not None:
            passed: timedelta = key - EPOCH_UTC
            return passed
        found, _ = self.place(wall)
        return wall - offsets(self.zone, wall)[0] if found is None else found

    def wall(self, key: Any) -> timedelta:
        """Return what the clock on the wall shows at a key. Raises: as `instant`."""
        if not isinstance(key, date):
            raise KeyTypeError(key, "recurring spans need keys that are dates or datetimes")
        if key != key:  # NaT is a datetime, and equals nothing
            raise InvalidKeyError(key, key, None)
        if self.days:
            if isinstance(key, datetime):
                raise KeyTypeError(key, "is a datetime, and the first span is one of dates")
            return timedelta(days=key.toordinal() - EPOCH.toordinal())
        if not isinstance(key, datetime):
            raise KeyTypeError(key, "is a date, and the first span is one of datetimes")
        if key.utcoffset() is not None:
            if self.zone is None:
                raise KeyTypeError(key, "has a zone, and the first span has none; give it one with zone='...'")
            if key.tzinfo is not self.zone:
                try:
                    key = key.astimezone(self.zone)
                except OverflowError as exc:
                    raise KeyTypeError(key, "cannot be told in the zone of the rule") from exc
        # rebuilt field by field: a subclass such as pandas' counts otherwise
        fields = key.year, key.month, key.day, key.hour, key.minute, key.second, key.microsecond
        return datetime(*fields) - EPOCH

    def place(self, wall: timedelta) -> tuple[timedelta | None, bool]:
        """Return the instant a wall point means, None if it is skipped, and whether it was moved later.

        Complexity: O(log t) in the changes the zone has seen.
        """
        if wall == self.first[0]:
            return self.first[1], False
        if self.zone is None:
            return wall, False
        before, after = offsets(self.zone, wall)
        if before >= after:
            return wall - (before if self.ambiguous == "first" else after), False
        if self.nonexistent == "later":
            return wall - before, True
        if self.nonexistent == "jump":
            return change_between(self.zone, wall, before, after), False
        return None, False

    def shown(self, instant: timedelta) -> timedelta:
        """Return the wall point that the clock shows at an instant. Raises: OverflowError beyond the calendar."""
        if self.zone is None:
            return instant
        return (EPOCH_UTC + instant).astimezone(self.zone).replace(tzinfo=None) - EPOCH

    def key(self, instant: timedelta) -> date:
        """Return an instant as a key. Raises: OverflowError beyond the calendar."""
        if self.zone is not None:
            return (EPOCH_UTC + instant).astimezone(self.zone)
        return (EPOCH + instant).date() if self.days else EPOCH + instant

    def latest(self, until: Any) -> timedelta:
        """Return the last instant that a bound includes: itself, or all of the day if it is a date."""
        if self.days or not isinstance(until, date) or isinstance(until, datetime):
            return self.instant(until)
        midnight = datetime.combine(until, time()) - EPOCH + timedelta(days=1)
        offset = timedelta(0) if self.zone is None else offsets(self.zone, midnight)[1]
        return midnight - offset - timedelta.resolution


def axis_of(start: Any, zone: str | tzinfo | None, nonexistent: str, ambiguous: str) -> Axis:
    """Return the axis that a first span's start and a zone make. Raises: `HoursError`, `KeyTypeError`."""
    if isinstance(start, date) and not isinstance(start, datetime):
        if zone is not None:
            raise HoursError(zone, "a span of whole dates has no zone; give datetimes, or leave it out")
        axis = Axis(True, None, nonexistent, ambiguous)
    else:
        if zone is None and isinstance(start, datetime):
            zone = start.tzinfo
        if zone is not None and not isinstance(zone, tzinfo):
            zone = load_zone(zone)
        # pytz hangs a fixed offset on each datetime and keeps the zone's name beside it
        name = getattr(zone, "zone", None)
        axis = Axis(False, load_zone(name) if isinstance(name, str) else zone, nonexistent, ambiguous)
    return replace(axis, first=(axis.wall(start), axis.instant(start)))
