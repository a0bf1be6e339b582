"""Opening hours and recurrence rules: wall-clock time turned into spans of keys."""

from bookcore.hours.opening_hours import Hours

__all__ = ["Hours"]
