"""What may be a key of one calendar, and in which form the index holds it.

A key is a point of the axis; one calendar holds one family of keys. The engine compares keys with ``<`` and
nothing else, which is only sound when the order is total, so three things are settled here, before any key
reaches an index:

- *points*: a NaN or NaT equals nothing, not even itself, and has no place on the axis;
- *families*: each kind of key in a calendar must be comparable with every other kind in it. A kind is the
  type, with "has a zone" for datetimes, and for tuples the kinds of their elements, so that ``(1, "a")`` is
  refused among ``(1, 2)`` whatever the values happen to be;
- *instants*: Python compares two datetimes of the same zone by wall clock, ignoring ``fold``, and of different
  zones by UTC. Mixed, that order has cycles (02:45 first pass < 01:00Z < 02:15 second pass < 02:45 first pass).
  The index therefore holds aware datetimes in UTC; bookings keep what the user gave.

``None`` is no key: it stands for "unbounded" at either end of a span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

from bookcore.model.errors import InvalidKeyError, InvalidSpanError, KeyTypeError, brief_key

__all__ = ["HIGHEST", "LOWEST", "UTC", "KeyFamily", "is_foreign", "normal"]

_PARTIAL = (set, frozenset, dict, complex)  # `<` on sets is "subset of": not an order of points


class _Lowest:
    """Sorts before every key. Stands in sorted lists for an unbounded start.

    Only ever the *left* operand of ``<``, so that no key's own ``__lt__`` is asked about a stranger.
    """

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return other is not self

    def __repr__(self) -> str:
        return "-inf"


class _Highest:
    """Sorts after every key. Stands in sorted lists for an unbounded end; only ever the left operand of ``<``."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return False

    def __repr__(self) -> str:
        return "+inf"


LOWEST: Any = _Lowest()
HIGHEST: Any = _Highest()


def normal(key: Any) -> Any:
    """Return the form in which the index holds *key*: aware datetimes in UTC, in tuples as well, all else as it is.

    Raises: `KeyTypeError` for a time beyond the calendar, and a tuple that cannot be looked into.
    """
    try:
        if issubclass(type(key), datetime):  # not isinstance: an object may say what it is not
            if key.tzinfo is not None and key.tzinfo is not UTC and key.utcoffset() is not None:
                return key.astimezone(UTC)
        elif issubclass(type(key), tuple) and any(issubclass(type(atom), datetime) for atom in _atoms(key)):
            return tuple(map(normal, key))
    except KeyTypeError:
        raise
    except RecursionError:
        raise KeyTypeError(None, "a tuple nested too deeply to compare") from None
    except Exception as exc:  # beyond the calendar, or the code of the zone or of the key
        raise KeyTypeError(key, "cannot be told in UTC, where keys with a zone are compared") from exc
    return key


def _kind(key: Any) -> Any:
    """Return what *key* is, as far as comparability goes: a type, or a tuple that says more."""
    if issubclass(type(key), tuple):
        return (tuple, *map(_kind, key))
    if issubclass(type(key), (datetime, time)):
        return (type(key), key.utcoffset() is not None)
    return type(key)


_TOTAL = frozenset({int, float, str, bytes, date, datetime, time, timedelta, Decimal, Fraction})
"""Types of which any two keys can be compared, by code that is not the user's."""


def is_foreign(key: Any) -> bool:
    """Tell whether the user's own code compares a key."""
    return any(type(atom) not in _TOTAL for atom in _atoms(key))


def _atoms(key: Any) -> Iterable[Any]:
    """Yield the points *key* consists of: itself, or for a tuple those of its elements."""
    if issubclass(type(key), tuple):
        for part in key:
            yield from _atoms(part)
    else:
        yield key


def _is_point(key: Any) -> bool:
    """Tell whether *key* equals itself; a NaN does not. A key that cannot say so is no key."""
    try:
        return all(bool(atom == atom) for atom in _atoms(key))
    except RecursionError:
        raise KeyTypeError(None, "a tuple nested too deeply to compare") from None
    except ArithmeticError:  # decimal's signalling NaN will not even be compared
        return False
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be compared with itself ({type(exc).__name__})") from exc


class KeyFamily:
    """The key family of one calendar: admits, normalises and remembers kinds of keys.

    ``plain`` is the one type whose keys need no more than ``start < end`` to be admitted. None: every span takes the long
    way, as those of the user's own classes do, of which two keys may be strangers to each other. If they are datetimes,
    ``zone`` is what their ``tzinfo`` must be for the short way: UTC or None.
    """

    __slots__ = ("_held", "_kinds", "closed", "foreign", "plain", "zone")

    def __init__(self, closed: bool, held: Callable[[], Iterable[Any]]) -> None:
        self.closed = closed
        self._held = held  # all keys in the calendar now; asked only before a refusal
        self._kinds: dict[Any, Any] = {}
        self.plain: Any = None  # a type, or None
        self.foreign = False  # whether any of the keys held is compared by code of the user's own
        self.zone: tzinfo | None = None

    def is_plain(self, start: Any, end: Any) -> bool:
        """Tell whether a span surely is in order and in index form; if not sure, `admit` finds out what is wrong."""
        plain = self.plain
        if type(start) is not plain or type(end) is not plain:
            return False
        if plain is datetime and (start.tzinfo is not self.zone or end.tzinfo is not self.zone):
            return False
        try:
            return bool(start < end)
        except Exception:
            return False

    def admit(self, start: Any, end: Any) -> tuple[Any, Any]:
        """Return the span as the index holds it, or raise; nothing is remembered.

        Raises: `InvalidSpanError` (empty, reversed), `InvalidKeyError` (NaN), `KeyTypeError`.
        """
        if start is not None and end is not None:
            if self.is_plain(start, end):
                return start, end
            low, high = self._key(start, start, end), self._key(end, start, end)
            try:
                right = not high < low if self.closed else bool(low < high)
            except Exception as exc:
                raise KeyTypeError(end, f"cannot be compared with {brief_key(start)} ({type(exc).__name__})") from exc
            if not right:
                raise InvalidSpanError(start, end, "the end lies before the start" if self.closed else "")
            return low, high
        if start is not None:
            return self._key(start, start, end), None
        if end is not None:
            return None, self._key(end, start, end)
        return None, None

    def point(self, key: Any) -> Any:
        """Return one key as the index holds it, or raise as `admit` does."""
        return self._key(key, key, key)

    def _key(self, key: Any, start: Any, end: Any) -> Any:
        if not _is_point(key):  # of a plain type as well: a NaN is a float among floats
            raise InvalidKeyError(key, start, end)
        if type(key) is not self.plain:
            for atom in _atoms(key):
                if issubclass(type(atom), _PARTIAL):
                    raise KeyTypeError(key, f"{type(atom).__name__} values have no order from low to high")
        key = normal(key)
        try:
            kind = _kind(key)
            known = self._kinds.get(kind)  # a class need not be hashable
        except Exception as exc:
            raise KeyTypeError(key, f"cannot be used as a key ({type(exc).__name__})") from exc
        # of a class of the user's own, two keys may be strangers to each other
        if known is None or (self.foreign and is_foreign(key) and _incomparable(key, known) is not None):
            self._compatible(kind, key)
        return key

    def _compatible(self, kind: Any, key: Any) -> None:
        """Raise unless keys of *kind* can be compared with every kind held now, and with each other."""
        if (why := _incomparable(key, key)) is not None:
            raise KeyTypeError(key, f"cannot be compared with its like ({why})")
        refused = self._against(self._kinds, key)
        if refused is not None and self._kinds:
            self._look_again()
            refused = self._against(self._kinds, key)
        if refused is not None:
            raise KeyTypeError(key, f"cannot be compared with the keys of this calendar, such as {brief_key(refused)}")

    def _look_again(self) -> None:
        """Forget the kinds of keys that are gone; a kind may be remembered from bookings that are. O(bookings)."""
        self._kinds = {}
        for held in self._held():
            self._kinds.setdefault(_kind(held), held)
        self._settle()

    @staticmethod
    def _against(kinds: dict[Any, Any], key: Any) -> Any:
        for other in kinds.values():
            if _incomparable(key, other) is not None:
                return other
        return None

    def learn(self, *keys: Any) -> None:
        """Remember the kinds of *keys* (in index form, None ignored), which the calendar now holds."""
        for key in keys:
            if key is not None and type(key) is not self.plain:
                kind = _kind(key)
                if kind not in self._kinds:
                    self._kinds[kind] = key
                    self._settle()

    def knows(self, key: Any) -> bool:
        """Tell whether the kind of a key, in index form, is remembered."""
        return _kind(key) in self._kinds

    def sample(self) -> Any:
        """Return a key like those in the calendar."""
        return next(iter(self._kinds.values()), None)

    def suit(self, asked: Callable[[Any], bool]) -> bool:
        """Tell whether the answer is yes for a key of each kind in the calendar. O(1); before a no O(bookings)."""
        if all(map(asked, self._kinds.values())):
            return True
        self._look_again()
        return all(map(asked, self._kinds.values()))

    def reset(self) -> None:
        """Forget all kinds: the calendar holds no key any more."""
        self._kinds = {}
        self._settle()

    def _settle(self) -> None:
        self.plain = self.zone = None
        self.foreign = any(map(is_foreign, self._kinds.values()))
        if len(self._kinds) == 1 and not self.foreign:
            (kind,) = self._kinds
            # Tuples can hold anything: the long way.
            if kind in ((datetime, False), (datetime, True)):
                self.plain = datetime
                self.zone = UTC if kind[1] else None
            elif isinstance(kind, type):
                self.plain = kind


def _incomparable(one: Any, other: Any) -> str | None:
    """Return why two keys cannot be ordered, looking into tuples element by element, or None if they can."""
    if issubclass(type(one), tuple) and issubclass(type(other), tuple):
        for left, right in zip(one, other, strict=False):
            if (why := _incomparable(left, right)) is not None:
                return why
        return None
    try:
        bool(one < other)
        bool(other < one)
    except Exception as exc:  # the user's own class may raise anything
        return type(exc).__name__
    return None
