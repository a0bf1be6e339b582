"""The keys of a table: what kind its cells are, and how to read one.

A column of text says nothing about its type, and guessing wrong is silent: read as text, ``"9"`` comes after
``"10"`` and ``"01/02/2026"`` before ``"02/01/2025"``. So the rules are strict:

- a kind is decided once for a table, by the majority of a sample; the cells that are not of it are refused;
- dates and times are ISO 8601 as the standard library reads them, or of one format that the caller names;
- text is assumed only where nothing looks like a date or a time; otherwise the caller has to say so;
- times without a zone and times with one are two kinds, and never compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import isfinite
from typing import Any

from bookcore.model.errors import BookcoreError, brief
from bookcore.tables.formats import DateFormatError, check_format, codes_of

__all__ = ["KeyKind", "KeyReader", "UnclearKeysError", "UnreadableKeyError"]

_INT = re.compile(r"[+-]?[0-9]{1,300}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?[0-9.]*[0-9],[0-9][0-9.,]*")  # a decimal comma, or commas between thousands
_ISO = re.compile(r"[0-9]{4}-?[0-9W]")
_LIKE_A_TIME = re.compile(
    r"[0-9]{1,4}[/.-][0-9]{1,2}[/.-][0-9]{1,4}|[0-9]{1,2}:[0-9]{2}|[0-9]{1,2}[ -][A-Za-z]{3}"
)
_REMEMBERED = 1 << 20  # distinct cells whose key is kept and shared


class KeyKind(StrEnum):
    """What the keys of a table are; the value is the name on the command line."""

    INT = "int"
    FLOAT = "float"
    DATE = "date"
    TIME = "datetime"
    ZONED = "zoned"
    TEXT = "text"
    OTHER = "other"

    @property
    def plural(self) -> str:
        """The kind in words."""
        return _WORDS[self]


_WORDS = {
    KeyKind.INT: "whole numbers",
    KeyKind.FLOAT: "numbers",
    KeyKind.DATE: "dates",
    KeyKind.TIME: "times without a zone",
    KeyKind.ZONED: "times with a zone",
    KeyKind.TEXT: "text",
    KeyKind.OTHER: "keys of another type",
}
_EXAMPLES = {
    KeyKind.INT: "42",
    KeyKind.FLOAT: "3.5",
    KeyKind.DATE: "2026-07-04",
    KeyKind.TIME: "2026-07-04T09:30",
    KeyKind.ZONED: "2026-07-04T09:30+00:00",
}


class UnreadableKeyError(BookcoreError, ValueError):
    """A piece of text that is no key of the kind asked for.

    Attributes: ``text``, ``kind``, ``reason``; ``mixed`` is true if it is a time, but with a zone where the
    others have none or the other way round. ``found`` is the kind that it would be of.
    """

    def __init__(self, text: str, kind: KeyKind, reason: str, *, mixed: bool = False) -> None:
        self.text, self.kind, self.reason, self.mixed = text, kind, reason, mixed
        self.found = kind_of(text)
        super().__init__(f"{brief(text)} {reason}")


class UnclearKeysError(BookcoreError, ValueError):
    """The keys look like dates or times, but not like ISO 8601, or like numbers with commas in them.

    Attributes: ``text``, one of them; ``is_number``.
    """

    def __init__(self, text: str) -> None:
        self.text, self.is_number = text, has_comma(text)
        if self.is_number:
            sentence = (
                f"numbers like {brief(text)} are not read: a comma in a number is either a decimal comma or parts the "
                "thousands; write them with a point (9.5), or say that they are text, to be compared letter by letter"
            )
        else:
            sentence = (
                f"times like {brief(text)} are not ISO 8601 (2026-07-04, 2026-07-04T09:30+00:00); name their "
                "format, or say that they are text, to be compared letter by letter"
            )
        super().__init__(sentence)


class KeyReader:
    """Reads the keys of one table; equal cells give the same object.

    ``refused`` counts what could not be read: by kind, and under ``"like a time"`` text that looks like one.

    >>> reader = KeyReader(KeyKind.DATE)
    >>> reader("2026-07-04")
    datetime.date(2026, 7, 4)
    >>> reader("04.07.2026")
    Traceback (most recent call last):
    bookcore.tables.kinds.UnreadableKeyError: '04.07.2026' is not a date like 2026-07-04
    """

    __slots__ = ("_known", "_parse", "date_format", "kind", "refused")

    def __init__(self, kind: KeyKind | None, *, date_format: str | None = None) -> None:
        """Read keys of a kind, or of a format; named both, the format has to read that kind.

        Raises: `DateFormatError`.
        """
        if date_format is not None:
            check_format(date_format)
            reads = _kind_of_format(date_format)
            if kind not in (None, reads):
                raise DateFormatError(date_format, f"reads {reads.plural}, and the keys are said to be {kind.plural}")
            kind = reads
        self.date_format = date_format
        self.kind = KeyKind.TEXT if kind is None else kind
        self.refused: Counter[str] = Counter()
        self._known: dict[str, Any] = {}
        self._parse: Callable[[str], Any] = self._formatted if date_format is not None else _PARSERS[self.kind]

    def __call__(self, text: str) -> Any:
        """Return the key that *text* stands for. O(1).

        Raises: `UnreadableKeyError`.
        """
        try:
            return self._known[text]
        except KeyError:
            pass
        try:
            key = self._parse(text)
        except UnreadableKeyError as fault:
            self.refused["like a time" if looks_like_a_time(text) else fault.found] += 1
            raise
        if len(self._known) < _REMEMBERED:
            self._known[text] = key
        return key

    def _formatted(self, text: str) -> Any:
        try:
            found = datetime.strptime(text, str(self.date_format))
        except ValueError:
            raise UnreadableKeyError(
                text, self.kind, f"does not have the format {self.date_format}"
            ) from None
        return found.date() if self.kind is KeyKind.DATE else found

    @classmethod
    def for_cells(cls, cells: Iterable[str]) -> KeyReader:
        """Return the reader for a table of which *cells* are a sample: the kind that most of them are.

        Among as many of one kind as of another the one that came first wins, text last. Whole numbers among
        fractions are fractions. Complexity: O(cells).
        Raises: `UnclearKeysError`.

        >>> KeyReader.for_cells(["1", "2.5", "n/a"]).kind
        <KeyKind.FLOAT: 'float'>
        >>> KeyReader.for_cells(["spring", "summer"]).kind
        <KeyKind.TEXT: 'text'>
        """
        counts: Counter[KeyKind] = Counter()
        odd: str | None = None
        for cell in cells:
            kind = kind_of(cell)
            counts[kind] += 1
            if kind is KeyKind.TEXT and odd is None and (looks_like_a_time(cell) or has_comma(cell)):
                odd = cell
        if counts[KeyKind.FLOAT]:
            counts[KeyKind.FLOAT] += counts.pop(KeyKind.INT, 0)
        text = counts.pop(KeyKind.TEXT, 0)
        kind, most = max(counts.items(), key=lambda pair: pair[1], default=(KeyKind.TEXT, 0))
        if most >= text and most:
            return cls(kind)
        if odd is not None:
            raise UnclearKeysError(odd)
        return cls(KeyKind.TEXT)

    @classmethod
    def like(cls, key: object) -> KeyReader:
        """Return the reader for keys of the type of *key*.

        >>> KeyReader.like(3)("4")
        4
        """
        for types, kind in (
            (bool, KeyKind.OTHER),
            (int, KeyKind.INT),
            (float, KeyKind.FLOAT),
            (str, KeyKind.TEXT),
            (datetime, KeyKind.TIME),
            (date, KeyKind.DATE),
        ):
            if isinstance(key, types):
                aware = isinstance(key, datetime) and key.utcoffset() is not None
                return cls(KeyKind.ZONED if aware else kind)
        reader = cls(KeyKind.OTHER)
        for exact in (Decimal, Fraction):
            if isinstance(key, exact):
                reader._parse = _exactly(exact)
        return reader


def kind_of(text: str) -> KeyKind:
    """Return the narrowest kind that *text* can be read as. O(len(text))."""
    if _INT.fullmatch(text):
        return KeyKind.INT
    if _FLOAT.fullmatch(text):
        return KeyKind.FLOAT
    if _ISO.match(text):
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
    """Tell whether *text* looks like a date or a time, but is none in ISO 8601.

    >>> [looks_like_a_time(text) for text in ("04/07/2026", "9:30", "2026-07-04", "spring")]
    [True, True, False, False]
    """
    return kind_of(text) is KeyKind.TEXT and _LIKE_A_TIME.search(text) is not None


def has_comma(text: str) -> bool:
    """Tell whether *text* is a number with a comma in it.

    >>> [has_comma(text) for text in ("9,5", "1.234,5", "1,234", "9.5", "a,b")]
    [True, True, True, False, False]
    """
    return _COMMA.fullmatch(text) is not None


def _unlike(text: str, kind: KeyKind) -> UnreadableKeyError:
    """Return the error for *text* where *kind* was wanted, saying what is the matter with it."""
    found = kind_of(text)
    times = {KeyKind.TIME, KeyKind.ZONED}
    if found in times and kind in times:
        have, want = ("a", "none") if found is KeyKind.ZONED else ("no", "one")
        return UnreadableKeyError(text, kind, f"has {have} zone; the other times have {want}", mixed=True)
    if found is KeyKind.DATE and kind in times:
        return UnreadableKeyError(
            text, kind, f"is a date without a time; needed is one like {_EXAMPLES[kind]}"
        )
    if has_comma(text):
        return UnreadableKeyError(text, kind, "has a comma in it, which is not read in numbers; write a point")
    noun = {"int": "whole number", "float": "number", "date": "date"}.get(kind.value, "time")
    return UnreadableKeyError(text, kind, f"is not a {noun} like {_EXAMPLES[kind]}")


def _int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise _unlike(text, KeyKind.INT)
    return int(text)


def _float(text: str) -> float:
    number = float(text) if _FLOAT.fullmatch(text) else float("nan")
    if not isfinite(number):
        raise _unlike(text, KeyKind.FLOAT)
    return number


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _unlike(text, KeyKind.DATE) from None


def _time(text: str, kind: KeyKind = KeyKind.TIME) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _unlike(text, kind) from None
    if (found.tzinfo is not None) is not (kind is KeyKind.ZONED) or len(text) <= 10:
        raise _unlike(text, kind)
    return found


def _zoned(text: str) -> datetime:
    return _time(text, KeyKind.ZONED)


def _no_other(text: str) -> Any:
    raise UnreadableKeyError(
        text, KeyKind.OTHER, "cannot be read as a key of the calendar's type; ask it in Python"
    )


def _exactly(exact: Callable[[str], Any]) -> Callable[[str], Any]:
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
    """Return what a `strptime` format yields: a time if it names one, with a zone if it names one."""
    codes = set(codes_of(date_format))
    if "z" in codes:
        return KeyKind.ZONED
    return KeyKind.TIME if codes & set("HIMSfcX") else KeyKind.DATE


_PARSERS: dict[KeyKind, Callable[[str], Any]] = {
    KeyKind.INT: _int,
    KeyKind.FLOAT: _float,
    KeyKind.DATE: _date,
    KeyKind.TIME: _time,
    KeyKind.ZONED: _zoned,
    KeyKind.TEXT: str,
    KeyKind.OTHER: _no_other,
}
