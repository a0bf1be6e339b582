"""Which keys may be used together, and in which form indexes hold them.

    given                                  held                      refused
    9, 12.5, Fraction(1, 3)                as they are               nan; "9" among numbers
    datetime(..., tzinfo=Berlin)           the same instant in UTC   a datetime without a zone among those with one
    (2026, "a")                            as it is                  (2026, 1) among such tuples

A key is a point of an axis; all keys held together are of one family. They are compared by ``<`` alone, which is sound only
if the order is total. So three things are settled before a key reaches an index:

- *points*: a NaN or NaT equals nothing, not even itself, and has no place on the axis;
- *families*: each kind of key must be comparable with every other kind that is held. A kind is the type; for datetimes
  also whether they have a zone; for tuples the kinds of their elements, so that ``(1, "a")`` is refused among ``(1, 2)``
  whatever the values are;
- *instants*: Python compares two datetimes of the same zone by wall clock and ignores ``fold``, and two of different zones
  by UTC. Mixed, that order has cycles (02:45 first pass < 01:00Z < 02:15 second pass < 02:45 first pass). So aware
  datetimes are held in UTC; callers get back the objects that they gave.

``None`` is no key: it means "no bound" at either end of a span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

from bookcore.model.errors import InvalidKeyError, InvalidSpanError, KeyTypeError, brief_key

__all__ = ["HIGHEST", "LOWEST", "UTC", "KeyFamily", "is_foreign", "normal"]

_PARTIAL = (set, frozenset, dict, complex)  # `<` of sets means "subset of", complex numbers have no `<`


class _Lowest:
    """Less than every key; represents an unbounded start in sorted lists.

    Only ever the *left* operand of ``<``, so that no key's own ``__lt__`` is called with it.
    """

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return other is not self

    def __repr__(self) -> str:
        return "-inf"


class _Highest:
    """Greater than every key; represents an unbounded end in sorted lists. Only ever the left operand of ``<``."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return False

    def __repr__(self) -> str:
        return "+inf"


LOWEST: Any = _Lowest()
HIGHEST: Any = _Highest()


def normal(key: Any) -> Any:
    """Return the form in which indexes hold a key: aware datetimes in UTC, also within tuples, all else as it is.

    Raises: `KeyTypeError` if the time in UTC is before year 1 or after year 9999, or a tuple cannot be iterated.

    >>> from datetime import timezone
    >>> print(normal(datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))), normal(12))
    2026-05-01 10:00:00+00:00 12
    """
    try:
        if issubclass(type(key), datetime):  # not isinstance: an object may claim a class
            if key.tzinfo is not None and key.tzinfo is not UTC and key.utcoffset() is not None:
                return key.astimezone(UTC)
        elif issubclass(type(key), tuple) and any(issubclass(type(atom), datetime) for atom in _atoms(key)):
            return tuple(map(normal, key))
    except KeyTypeError:
        raise
    except RecursionError:
        raise KeyTypeError(None, "a tuple nested too deeply to compare") from None
    except Exception as exc:  # beyond the years of datetime, or code of the zone or of the key
        raise KeyTypeError(key, "cannot be told in UTC, where keys with a zone are compared") from exc
    return key


def _kind(key: Any) -> Any:
    """Return the kind of a key, which decides with what it can be compared: a type, or a tuple of a type and more."""
    if issubclass(type(key), tuple):
        return (tuple, *map(_kind, key))
    if issubclass(type(key), (datetime, time)):
        return (type(key), key.utcoffset() is not None)
    return type(key)


_TOTAL = frozenset({int, float, str, bytes, date, datetime, time, timedelta, Decimal, Fraction})
"""Types whose keys can all be compared with each other, by code that is not the user's."""


def is_foreign(key: Any) -> bool:
    """Tell whether code of the user's own compares a key."""
    return any(type(atom) not in _TOTAL for atom in _atoms(key))


def _atoms(key: Any) -> Iterable[Any]:
    """Yield the points that a key consists of: itself, or for a tuple the points of its elements."""
    if issubclass(type(key), tuple):
        for part in key:
            yield from _atoms(part)
    else:
        yield key


def _is_point(key: Any) -> bool:
    """Tell whether a key equals itself, which a NaN does not. Raises: `KeyTypeError` if it cannot be compared."""
    try:
        return all(bool(atom == atom) for atom in _atoms(key))
    except RecursionError:
        raise KeyTypeError(None, "a tuple nested too deeply to compare") from None
    except ArithmeticError:  # decimal's signalling NaN raises this
        return False
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be compared with itself ({type(exc).__name__})") from exc


class KeyFamily:
    """The kinds of keys that are held together: admits new keys, brings them into index form and remembers their kinds.

    ``plain`` is the type whose keys need only ``start < end`` to be admitted (for datetimes also that their ``tzinfo`` is
    ``zone``: UTC or None). If it is None, every span is checked in full: there are no keys or keys of several kinds, or
    ``foreign`` is true: some keys are compared by code of the user's own, so that two keys of one class may not be
    comparable.

    >>> family = KeyFamily(False, lambda: [])
    >>> low, high = family.admit(9, 12)
    >>> family.learn(low, high)
    >>> family.plain, family.is_plain(10, 11), family.is_plain(11, 10)
    (<class 'int'>, True, False)
    """

    __slots__ = ("_held", "_kinds", "closed", "foreign", "plain", "zone")

    def __init__(self, closed: bool, held: Callable[[], Iterable[Any]]) -> None:
        self.closed = closed
        self._held = held  # returns all keys that are held now; called only before a refusal
        self._kinds: dict[Any, Any] = {}
        self.plain: Any = None
        self.foreign = False
        self.zone: tzinfo | None = None

    def is_plain(self, start: Any, end: Any) -> bool:
        """Tell whether a span is certainly in order and in index form. If not, `admit` finds out more."""
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
        """Return a span in index form, or raise; nothing is remembered.

        Raises: `InvalidSpanError` for an empty or reversed span, `InvalidKeyError` for a NaN, `KeyTypeError` for a key that
        cannot be compared with those held. O(kinds); before a refusal O(keys held).
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
        """Return one key in index form, or raise as `admit` does."""
        return self._key(key, key, key)

    def _key(self, key: Any, start: Any, end: Any) -> Any:
        if not _is_point(key):  # for every type: a NaN is a float among floats
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
        # two keys of a class of the user's own need not be comparable
        if known is None or (self.foreign and is_foreign(key) and _incomparable(key, known) is not None):
            self._compatible(kind, key)
        return key

    def _compatible(self, kind: Any, key: Any) -> None:
        """Raise unless a key of a kind that is new can be compared with itself and with an example of every kind held."""
        if (why := _incomparable(key, key)) is not None:
            raise KeyTypeError(key, f"cannot be compared with its like ({why})")
        refused = self._against(self._kinds, key)
        if refused is not None and self._kinds:
            self._look_again()
            refused = self._against(self._kinds, key)
        if refused is not None:
            raise KeyTypeError(key, f"cannot be compared with the keys of this calendar, such as {brief_key(refused)}")

    def _look_again(self) -> None:
        """Forget the kinds of which no key is held any more. O(keys held)."""
        self._kinds = {}
        for held in self._held():
            self._kinds.setdefault(_kind(held), held)
        self._settle()

    @staticmethod
    def _against(kinds: dict[Any, Any], key: Any) -> Any:
        """Return a key that cannot be compared with a new key, from the examples of some kinds, or None."""
        for other in kinds.values():
            if _incomparable(key, other) is not None:
                return other
        return None

    def learn(self, *keys: Any) -> None:
        """Remember the kinds of keys that are now held, given in index form; None is ignored."""
        for key in keys:
            if key is not None and type(key) is not self.plain:
                kind = _kind(key)
                if kind not in self._kinds:
                    self._kinds[kind] = key
                    self._settle()

    def knows(self, key: Any) -> bool:
        """Tell whether the kind of a key in index form is remembered."""
        return _kind(key) in self._kinds

    def sample(self) -> Any:
        """Return an example of the keys that are held, or None."""
        return next(iter(self._kinds.values()), None)

    def suit(self, asked: Callable[[Any], bool]) -> bool:
        """Tell whether a question is true of an example of each kind that is held. O(kinds); if it is not, O(keys held)."""
        if all(map(asked, self._kinds.values())):
            return True
        self._look_again()
        return all(map(asked, self._kinds.values()))

    def reset(self) -> None:
        """Forget all kinds, when no key is held any more."""
        self._kinds = {}
        self._settle()

    def _settle(self) -> None:
        """Compute ``plain``, ``zone`` and ``foreign`` from the kinds."""
        self.plain = self.zone = None
        self.foreign = any(map(is_foreign, self._kinds.values()))
        if len(self._kinds) == 1 and not self.foreign:
            (kind,) = self._kinds
            # not for tuples, which can contain anything
            if kind in ((datetime, False), (datetime, True)):
                self.plain = datetime
                self.zone = UTC if kind[1] else None
            elif isinstance(kind, type):
                self.plain = kind


def _incomparable(one: Any, other: Any) -> str | None:
    """Return why two keys cannot be ordered, None if they can. Tuples are compared element by element."""
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
