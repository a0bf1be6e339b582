"""The keys of a table: detection of their kind, and parsing.

A column of text does not state its type, and a wrong guess is silent: as text, ``"9"`` comes after ``"10"`` and
``"01/02/2026"`` before ``"02/01/2025"``. The rules are therefore strict:

- the majority of a sample decides the kind once for a table; cells of another kind are errors;
- dates and times are ISO 8601 as the standard library reads it, or have one format that the caller names;
- text is the kind only if no cell looks like a date or a time; otherwise the caller must choose it;
- times with and without a zone are two kinds, and are never compared.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import partial
from math import isfinite
from typing import Any

from bookcore.hours.wall_clock import load_zone
from bookcore.model.errors import BookcoreError, QueryError, brief
from bookcore.model.typecheck import is_a
from bookcore.tables.date_formats import compact_formats_of, formats_of, is_date, parse, readings, reads

_INT = re.compile(r"[+-]?[0-9]{1,300}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?[0-9.]*[0-9],[0-9][0-9.,]*")  # a decimal comma, or commas between thousands
_ISO = re.compile(r"[0-9]{4}-?[0-9W]")
_SHORT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[ T])([0-9]:[0-9]{2}.*)")
_LIKE_A_TIME = re.compile(
    r"[0-9]{1,4}[/.-][0-9]{1,2}[/.-][0-9]{1,4}|[0-9]{1,2}:[0-9]{2}|[0-9]{1,2}[ -][A-Za-z]{3}"
    # a day and a year, or a year, a month and a day, in the words and marks of any language
    r"|\b[0-9]{1,2}(?![0-9]).{0,40}?(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])"
    r"|(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])[^0-9]{1,20}[0-9]{1,2}[^0-9]{1,20}[0-9]{1,2}(?![0-9])"
)
_CACHE_SIZE = 1 << 20  # the maximal number of cached keys
_LIKE_TIMES = 1000

_DIRECTIVES = frozenset("aAbBcdfGHIjmMpSuUVwWxXyYz%")  # the directives of the standard library
_SAMPLE_TIME = datetime(2026, 7, 4, 9, 30, 15, 250_000, tzinfo=UTC)


class DateFormatError(BookcoreError, ValueError):
    """A date format that cannot read dates, or not the keys that it is for. Attributes: ``date_format``, ``reason``."""

    def __init__(self, date_format: object, reason: str, way: str = "one that can is '%d/%m/%Y %H:%M'") -> None:
        self.date_format, self.reason = date_format, reason
        super().__init__(f"the date format {brief(date_format)} {reason}; {way}")


class KeyKind(StrEnum):
    """The kind of the keys of a table; the value is its name on the command line."""

    INT = "int"
    FLOAT = "float"
    DATE = "date"
    TIME = "datetime"
    ZONED = "zoned"
    TEXT = "text"
    OTHER = "other"

    @property
    def plural(self) -> str:
        """The kind as a noun in the plural."""
        return _DESCRIPTIONS[self][0]


class UnreadableKeyError(BookcoreError, ValueError):
    """A text that is no key of the kind of the table.

    Attributes: ``text``, ``kind``, ``reason``; ``found``, the kind of the text; ``mixed``, true if text and kind are both
    times, but only one of them has a zone.
    """

    def __init__(self, text: str, kind: KeyKind, reason: str, *, mixed: bool = False) -> None:
        self.text, self.kind, self.reason, self.mixed = text, kind, reason, mixed
        self.found = kind_of(text)
        super().__init__(f"{brief(text)} {reason}")


class UnclearKeysError(BookcoreError, ValueError):
    """The keys look like dates or times, but not like ISO 8601, or like numbers with commas in them.

    Attributes: ``text``, one such key; ``is_number``; ``formats``, the formats of `strptime` that read all such keys that
    were looked at, or else most: one if they decide it, two if the day and the month could be either, none if no format is
    known; ``may_be_text``, true unless most of the keys look like times or numbers.
    ``read`` and ``keys`` are how many of the keys that were looked at the first of the formats reads, and how many there
    were; ``other`` is the first that it does not read, and ``line`` the line where that is, None if not known.
    """

    def __init__(
        self, text: str, formats: tuple[str, ...] = (), *, may_be_text: bool = True, read: int = 0, keys: int = 0,
        other: str | None = None, line: int | None = None,
    ) -> None:  # fmt: skip
        self.text, self.is_number, self.formats, self.may_be_text = text, has_comma(text), formats, may_be_text
        self.read, self.keys, self.other, self.line = read, keys, other, line
        if self.is_number:
            reason = (
                f"numbers like {brief(text)} are not read: a comma in a number is either a decimal comma or parts the "
                "thousands; write them with a point (9.5)"
            )
        else:
            reason = f"times like {brief(text)} are not ISO 8601 (2026-07-04, 2026-07-04T09:30+00:00)"
            if len(formats) > 1:
                reason += f", and may be read in {len(formats)} ways: {readings(text, formats)}"
            if formats and other is not None:
                where = f" in line {line}" if line is not None else ""
                reason += f"; '{formats[0]}' reads {read:,} of {keys:,} keys; the first other is {brief(other)}{where}"
            reason += "; name their format"
        text = ", or say that they are text, to be compared letter by letter" if may_be_text else ""
        super().__init__(f"{reason}{text}")

    @classmethod
    def of(cls, unclear: list[str], formats: tuple[str, ...], cells: list[str]) -> UnclearKeysError:
        """Return the error for some of the cells that were looked at, and the formats that read most of these."""
        may_be_text = 2 * len(unclear) <= len(cells)
        if not formats:
            return cls(unclear[0], may_be_text=may_be_text)
        text = next(cell for cell in unclear if all(reads(form, cell) for form in formats))
        known = {cell: reads(formats[0], cell) for cell in dict.fromkeys(cells)}
        unread = next((cell for cell, is_read in known.items() if not is_read), None)
        read = sum(known[cell] for cell in cells)
        return cls(text, formats, may_be_text=may_be_text, read=read, keys=len(cells), other=unread)

    def at(self, line: int | None) -> UnclearKeysError:
        """Return this error with the line of ``other``."""
        return UnclearKeysError(
            self.text, self.formats, may_be_text=self.may_be_text, read=self.read, keys=self.keys,
            other=self.other, line=line,
        )  # fmt: skip


class KeyReader:
    """Reads the keys of one table; equal cells give the same object.

    ``refused`` counts unreadable cells by their kind; text that looks like a time counts as ``"like a time"``, and the first
    thousand such cells are ``like_times``. With *zone*, times without a zone are times of that zone.

    >>> reader = KeyReader(KeyKind.DATE)
    >>> reader("2026-07-04")
    datetime.date(2026, 7, 4)
    >>> reader("04.07.2026")
    Traceback (most recent call last):
    bookcore.tables.kinds.UnreadableKeyError: '04.07.2026' is not a date like 2026-07-04
    """

    __slots__ = ("_cache", "_parse", "date_format", "kind", "like_times", "refused", "zone")

    def __init__(
        self, kind: KeyKind | None, *, date_format: str | None = None, zone: str | tzinfo | None = None
    ) -> None:
        """Read keys of a kind, or with a date format. Given both, the format must read that kind.

        Raises: `DateFormatError`; `HoursError` for a zone that is not known; `QueryError` for one of keys that are no times.
        """
        self.zone: Any = zone if zone is None or is_a(zone, (tzinfo,)) else load_zone(zone)
        if date_format is not None:
            check_format(date_format)
            reads = _kind_of_format(date_format)
            if kind not in (None, reads) and (zone is None or {kind, reads} != {KeyKind.TIME, KeyKind.ZONED}):
                reason = f"reads {reads.plural}, and the keys are said to be {kind.plural}"
                raise DateFormatError(date_format, reason, "leave one of the two out")
            kind = reads
        self.date_format = date_format
        self.kind = KeyKind.TEXT if kind is None else kind
        if zone is not None:
            if self.kind not in (KeyKind.TIME, KeyKind.ZONED):
                raise QueryError(zone, f"a zone is that of times, and these are {self.kind.plural}")
            self.kind = KeyKind.ZONED
        self.refused: Counter[str] = Counter()
        self.like_times: list[str] = []
        self._cache: dict[str, Any] = {}
        self._parse: Callable[[str], Any] = _DESCRIPTIONS[self.kind][3]
        if date_format is not None:
            self._parse = self._formatted
        elif self.zone is not None:
            self._parse = self._in_zone

    def __call__(self, text: str) -> Any:
        """Return the key in *text*. O(1).

        Raises: `UnreadableKeyError`.
        """
        try:
            return self._cache[text]
        except KeyError:
            pass
        try:
            key = self._parse(text)
        except UnreadableKeyError as fault:
            like_a_time = looks_like_a_time(text)
            self.refused["like a time" if like_a_time else fault.found] += 1
            if like_a_time and len(self.like_times) < _LIKE_TIMES:
                self.like_times.append(text)
            raise
        if len(self._cache) < _CACHE_SIZE:
            self._cache[text] = key
        return key

    def _formatted(self, text: str) -> Any:
        try:
            key = parse(text, str(self.date_format))
        except ValueError:
            raise UnreadableKeyError(text, self.kind, f"does not have the format {self.date_format}") from None
        if self.kind is KeyKind.DATE:
            return key.date()
        return key if self.zone is None else self._of_zone(key, text)

    def _in_zone(self, text: str) -> datetime:
        """Return a time of the zone of the table, or one that names its own zone."""
        try:
            return _time(text, KeyKind.ZONED)
        except UnreadableKeyError:
            return self._of_zone(_time(text, KeyKind.TIME), text)

    def _of_zone(self, key: datetime, text: str) -> datetime:
        """Return a time of the zone; the first of two, where clocks were set back."""
        if key.tzinfo is not None:
            return key
        key = key.replace(tzinfo=self.zone)
        if key.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != key.replace(tzinfo=None):
            raise UnreadableKeyError(text, self.kind, f"is no time in {self.zone}, where clocks were set forward past it")
        return key

    def after(self, start: Any, end: Any) -> Any:
        """Return the end of a span: where clocks were set back the second of two times, if only that is after the start.

        An end that is written like the start is no later one.
        """
        if self.zone is None or end == start or end.astimezone(UTC) > (low := start.astimezone(UTC)):
            return end
        later = end.replace(fold=1)
        return later if later.astimezone(UTC) > low else end

    def order(self, start: Any, end: Any) -> int:
        """Return 1 if a key is after another, 0 if they are equal, -1 if it is before it."""
        if self.zone is not None:  # two times of one zone are compared by what the clock shows
            start, end = start.astimezone(UTC), end.astimezone(UTC)
        return bool(start < end) - bool(end < start)

    @classmethod
    def for_cells(
        cls, cells: Iterable[str], *, dates: bool = False, zone: str | tzinfo | None = None
    ) -> KeyReader:
        """Return the reader for the most frequent kind in a sample of cells.

        If two kinds are equally frequent, the kind that occurs first wins, and text never. Whole numbers count as fractions
        if there is a fraction. With *dates*, which says that the columns hold dates, ``20260704`` is a date and no number.
        Complexity: O(cells).
        Raises: `UnclearKeysError`; for the zone as the class.

        >>> KeyReader.for_cells(["1", "2.5", "n/a"]).kind
        <KeyKind.FLOAT: 'float'>
        >>> KeyReader.for_cells(["spring", "summer"]).kind
        <KeyKind.TEXT: 'text'>
        """
        cells = list(cells)
        counts: Counter[KeyKind] = Counter()
        unclear: list[str] = []
        compact: list[str] = []  # whole numbers as long as dates without marks, and no dates with the year first
        for cell in cells:
            kind = kind_of(cell)
            if dates and kind is KeyKind.INT and _is_day(cell):
                kind = KeyKind.DATE
            elif dates and kind is KeyKind.INT and len(cell) in (7, 8):
                compact.append(cell)
            counts[kind] += 1
            if kind is KeyKind.TEXT and (looks_like_a_time(cell) or has_comma(cell)):
                unclear.append(cell)
        if counts[KeyKind.FLOAT]:
            counts[KeyKind.FLOAT] += counts.pop(KeyKind.INT, 0)
        text = counts.pop(KeyKind.TEXT, 0)
        kind, most = max(counts.items(), key=lambda pair: pair[1], default=(KeyKind.TEXT, 0))
        padded = [cell.zfill(8) for cell in compact]  # some programs drop a zero in front, and then no format is right
        if kind is KeyKind.INT and len(compact) == most and (formats := compact_formats_of(padded)):
            raise UnclearKeysError.of(compact, formats if compact == padded else (), cells)
        if most >= text and most:
            return cls(kind, zone=zone)
        if unclear:
            raise UnclearKeysError.of(unclear, () if has_comma(unclear[0]) else formats_of(unclear), cells)
        return cls(KeyKind.TEXT, zone=zone if text else None)

    @classmethod
    def like(cls, key: object) -> KeyReader:
        """Return the reader for keys of the type of *key*.

        >>> KeyReader.like(3)("4")
        4
        """
        for types, kind in (
            (bool, KeyKind.OTHER), (int, KeyKind.INT), (float, KeyKind.FLOAT),
            (str, KeyKind.TEXT), (datetime, KeyKind.TIME), (date, KeyKind.DATE),
        ):  # fmt: skip
            if isinstance(key, types):
                aware = isinstance(key, datetime) and key.utcoffset() is not None
                return cls(KeyKind.ZONED if aware else kind)
        reader = cls(KeyKind.OTHER)
        for exact in (Decimal, Fraction):
            if isinstance(key, exact):
                reader._parse = _exact_parser(exact)
        return reader


def kind_of(text: str) -> KeyKind:
    """Return the narrowest kind that *text* can be read as. O(len(text))."""
    if _INT.fullmatch(text):
        return KeyKind.INT
    if _FLOAT.fullmatch(text):
        return KeyKind.FLOAT
    if _ISO.match(text):
        text = _padded(text)
        try:
            date.fromisoformat(text)
            return KeyKind.DATE
        except ValueError:
            pass
        try:
            return KeyKind.ZONED if datetime.fromisoformat(text).tzinfo is not None else KeyKind.TIME
        except ValueError:
            pass
    return KeyKind.TEXT


def looks_like_a_time(text: str) -> bool:
    """Return whether *text* looks like a date or a time that is not ISO 8601.

    >>> [looks_like_a_time(text) for text in ("04/07/2026", "9:30", "2026-07-04", "spring")]
    [True, True, False, False]
    """
    return kind_of(text) is KeyKind.TEXT and (_LIKE_A_TIME.search(text) is not None or is_date(text))


def has_comma(text: str) -> bool:
    """Return whether *text* is a number with a comma.

    >>> [has_comma(text) for text in ("9,5", "1.234,5", "1,234", "9.5", "a,b")]
    [True, True, True, False, False]
    """
    return _COMMA.fullmatch(text) is not None


def _unreadable(text: str, kind: KeyKind) -> UnreadableKeyError:
    """Return the error for *text* in a table with keys of *kind*."""
    found, times = kind_of(text), {KeyKind.TIME, KeyKind.ZONED}
    _, noun, example, _ = _DESCRIPTIONS[kind]
    if found in times and kind in times:
        have, want = ("a", "none") if found is KeyKind.ZONED else ("no", "one")
        return UnreadableKeyError(text, kind, f"has {have} zone; the other times have {want}", mixed=True)
    if found is KeyKind.DATE and kind in times:
        return UnreadableKeyError(text, kind, f"is a date without a time; needed is one like {example}")
    if has_comma(text):
        return UnreadableKeyError(text, kind, "has a comma in it, which is not read in numbers; write a point")
    return UnreadableKeyError(text, kind, f"is not a {noun} like {example}")


def _int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise _unreadable(text, KeyKind.INT)
    return int(text)


def _float(text: str) -> float:
    number = float(text) if _FLOAT.fullmatch(text) else float("nan")
    if not isfinite(number):
        raise _unreadable(text, KeyKind.FLOAT)
    return number


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _unreadable(text, KeyKind.DATE) from None


def _time(text: str, kind: KeyKind) -> datetime:
    try:
        key = datetime.fromisoformat(text)
    except ValueError:
        if (padded := _padded(text)) != text:
            return _time(padded, kind)
        raise _unreadable(text, kind) from None
    if (key.tzinfo is not None) is not (kind is KeyKind.ZONED) or len(text) <= 10:
        raise _unreadable(text, kind)
    return key


def _padded(text: str) -> str:
    """Return a time of ISO 8601 with a zero before an hour of one digit, as some programs write it.

    >>> _padded("2026-07-04 9:30")
    '2026-07-04 09:30'
    """
    match = _SHORT.fullmatch(text)
    return f"{match[1]}0{match[2]}" if match is not None else text


def _is_day(text: str) -> bool:
    """Return whether a whole number is a date without dashes."""
    if len(text) != 8 or not text.isdecimal():
        return False
    try:
        return date.fromisoformat(text).year >= 1000
    except ValueError:
        return False


def _unsupported(text: str) -> Any:
    raise UnreadableKeyError(text, KeyKind.OTHER, "cannot be read as a key of the calendar's type; ask it in Python")


def _exact_parser(exact: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser for Decimal or Fraction."""

    def parse(text: str) -> Any:
        try:
            number = exact(text)
            if number == number and abs(number) != float("inf"):
                return number
        except (ValueError, ArithmeticError):
            pass
        raise UnreadableKeyError(text, KeyKind.OTHER, "is not a number like 3.5")

    return parse


def _kind_of_format(date_format: str) -> KeyKind:
    """Return the kind of the keys that a `strptime` format reads."""
    codes = set(codes_of(date_format))
    if "z" in codes:
        return KeyKind.ZONED
    return KeyKind.TIME if codes & set("HIMSfcX") else KeyKind.DATE


def codes_of(date_format: str) -> list[str]:
    """Return the letters of the directives in a format, in order, without ``%%``.

    >>> codes_of("%d/%m 100%%")
    ['d', 'm']
    """
    return [code for code in re.findall("%(.?)", date_format, re.DOTALL) if code != "%"]


def check_format(date_format: str) -> None:
    """Raise `DateFormatError` unless *date_format* can read a date that it has written.

    >>> check_format("%d.%m.%Y")
    >>> check_format("%d.%m.%Q")
    Traceback (most recent call last):
    bookcore.tables.kinds.DateFormatError: the date format '%d.%m.%Q' has %Q in it, which is no directive of Python's \
strptime; one that can is '%d/%m/%Y %H:%M'
    """
    if not date_format.strip():
        raise DateFormatError(date_format, "is empty, and reads nothing")
    codes = codes_of(date_format)
    if not codes:
        raise DateFormatError(date_format, "has no directive such as %d in it, and reads no date")
    for code in codes:
        if code == "Z":
            reason = "has %Z in it, the name of a zone, which Python reads and forgets; %z reads an offset"
            raise DateFormatError(date_format, f"{reason}, and an argument can say the zone")
        if code not in _DIRECTIVES or not code:
            raise DateFormatError(date_format, f"has %{code} in it, which is no directive of Python's strptime")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.13 warns of formats without a year
            datetime.strptime(_SAMPLE_TIME.strftime(date_format), date_format)
    except (ValueError, re.error) as fault:  # re.error: a repeated directive, before Python 3.14
        raise DateFormatError(date_format, f"reads nothing ({fault})") from None


# of each kind: the noun in the plural and in the singular, an example, and the parser
_DESCRIPTIONS: dict[KeyKind, tuple[str, str, str, Callable[[str], Any]]] = {
    KeyKind.INT: ("whole numbers", "whole number", "42", _int),
    KeyKind.FLOAT: ("numbers", "number", "3.5", _float),
    KeyKind.DATE: ("dates", "date", "2026-07-04", _date),
    KeyKind.TIME: ("times without a zone", "time", "2026-07-04T09:30", partial(_time, kind=KeyKind.TIME)),
    KeyKind.ZONED: ("times with a zone", "time", "2026-07-04T09:30+00:00", partial(_time, kind=KeyKind.ZONED)),
    KeyKind.TEXT: ("text", "text", "spring", str),
    KeyKind.OTHER: ("keys of another type", "key", "", _unsupported),
}
