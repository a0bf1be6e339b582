"""From the clock on the wall to open spans: opening hours and recurrence."""

from bookcore.hours.opening_hours import Hours

__all__ = ["Hours"]
