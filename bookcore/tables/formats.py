"""Date formats as `datetime.strptime` reads them, looked at before the first row is."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime

from bookcore.model.errors import BookcoreError, brief

__all__ = ["DateFormatError", "check_format", "codes_of", "likely_format"]

KNOWN = frozenset("aAbBcdfGHIjmMpSuUVwWxXyYzZ%")  # what the standard library's documentation lists
_SOME_TIME = datetime(2026, 7, 4, 9, 30, 15, 250_000, tzinfo=UTC)


class DateFormatError(BookcoreError, ValueError):
    """A date format that can read nothing. Attributes: ``date_format``, ``reason``."""

    def __init__(self, date_format: object, reason: str) -> None:
        self.date_format, self.reason = date_format, reason
        super().__init__(f"the date format {brief(date_format)} {reason}; one that can is '%d/%m/%Y %H:%M'")


def codes_of(date_format: str) -> list[str]:
    """Return the letters of the directives in a format, in order; ``%%`` is none.

    >>> codes_of("%d/%m 100%%")
    ['d', 'm']
    """
    return [code for code in re.findall("%(.?)", date_format, re.DOTALL) if code != "%"]


def check_format(date_format: str) -> None:
    """Raise `DateFormatError` unless *date_format* can read at least what it writes itself.

    >>> check_format("%d.%m.%Y")
    >>> check_format("%d.%m.%Q")
    Traceback (most recent call last):
    bookcore.tables.formats.DateFormatError: the date format '%d.%m.%Q' has %Q in it, which is no directive of Python's \
strptime; one that can is '%d/%m/%Y %H:%M'
    """
    if not date_format.strip():
        raise DateFormatError(date_format, "is empty, and reads nothing")
    codes = codes_of(date_format)
    if not codes:
        raise DateFormatError(date_format, "has no directive such as %d in it, and reads no date")
    for code in codes:
        if code not in KNOWN or not code:
            raise DateFormatError(
                date_format, f"has %{code} in it, which is no directive of Python's strptime"
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.13 warns of days without a year; they are read all the same
            datetime.strptime(_SOME_TIME.strftime(date_format), date_format)
    except (ValueError, re.error) as fault:  # a directive twice is an error of `re` up to Python 3.13
        raise DateFormatError(date_format, f"reads nothing ({fault})") from None


def likely_format(text: str) -> str:
    """Return a format of the shape of *text*, for advice: which number is the day, nobody can know.

    >>> likely_format("4/7/2026"), likely_format("4/7/2026 9:30"), likely_format("9:30")
    ('%d/%m/%Y', '%d/%m/%Y %H:%M', '%H:%M')
    """
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", text):
        return "%H:%M"
    return "%d/%m/%Y %H:%M" if ":" in text else "%d/%m/%Y"
