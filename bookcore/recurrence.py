"""Recurring spans, under the module name that programs import."""

from bookcore.hours.recurrence import recurring

__all__ = ["recurring"]
