"""Recurring spans: the public name of `bookcore.hours.recurrence`."""

from bookcore.hours.recurrence import recurring

__all__ = ["recurring"]
