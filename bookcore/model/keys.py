"""Which keys may be used together, and in which form indexes hold them.

    given                                  held                      refused
    9, 12.5, Fraction(1, 3)                as they are               nan; "9" among numbers
    np.int64(9), np.float32(0.5)           9, 0.5                    complex numbers; an array
    np.datetime64("9999-12-31")            as it is                  the same among keys of nanoseconds, which end in 2262
    pd.Timestamp(...)                      a datetime, unless it     -
                                           counts nanoseconds
    datetime(..., tzinfo=Berlin)           the same instant in UTC   a datetime without a zone among those with one
    (2026, "a")                            as it is                  (2026, 1) among such tuples

A key is a point of an axis; all keys held together are of one family. They are compared by ``<`` alone, which is sound only
if the order is total. The same goes for deadlines of holds and for the values of an index: each has a `KeyFamily`. So five
things are settled before a key reaches an index:

- *points*: a NaN or NaT equals nothing, not even itself, and has no place on the axis;
- *families*: each kind of key must be comparable with every other kind that is held. A kind is the type; for datetimes
  also whether they have a zone; for tuples the kinds of their elements, so that ``(1, "a")`` is refused among ``(1, 2)``
  whatever the values are; and of two keys at most one may be less than the other;
- *numbers*: those of NumPy are compared after rounding, so they are held as Python's, which are compared exactly;
- *speed*: one comparison of pandas' times takes as long as eight of Python's, so they are held as these where these can
  hold them: all that count no nanoseconds;
- *instants*: Python compares two datetimes of the same zone by wall clock and ignores ``fold``, and two of different zones
  by UTC. Mixed, that order has cycles (02:45 first pass < 01:00Z < 02:15 second pass < 02:45 first pass). So aware
  datetimes are held in UTC; callers get back the objects that they gave.

``None`` is no key: it means "no bound" at either end of a span. A key must not change while it is held: of the classes of
Python that have an order, that concerns lists, bytearrays and deques, which are held as they are given. A tuple does not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Set
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from numbers import Number
from operator import is_
from typing import Any

from bookcore.model.errors import LACKING, InvalidKeyError, InvalidSpanError, KeyTypeError, attempt, brief_key
from bookcore.model.numpy_scalars import Grain, grain, is_array, python_number
from bookcore.model.pandas_scalars import is_timestamp, python_time
from bookcore.model.typecheck import is_a, plain_text

_PARTIAL = (Set, dict, complex)  # `<` of sets means "subset of", complex numbers have no `<`


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


OWN_KEYS = frozenset({int, float, str, bytes, date, datetime, time, timedelta, Decimal, Fraction})
"""Types whose keys can all be compared with each other, by code that is not the user's."""

_NEVER_NAN = frozenset({int, str, bytes, date, timedelta, Fraction})

AS_THEY_ARE = OWN_KEYS - {datetime}
"""Types whose keys are in index form as they are given."""


def normal(key: Any) -> Any:
    """Return the form in which indexes hold a key: aware datetimes in UTC, all else as it is, save for NumPy and pandas.

    Their numbers and times are held as Python's, where these can hold them (see `python_number`, `python_time`). That goes
    for the elements of tuples and lists, too.

    Raises: `KeyTypeError` if the time in UTC is before year 1 or after year 9999, a tuple cannot be iterated, or a scalar
    of NumPy is no key (see `python_number`).

    >>> from datetime import timezone
    >>> print(normal(datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))), normal(12))
    2026-05-01 10:00:00+00:00 12
    """
    cls = type(key)
    if cls in AS_THEY_ARE or (cls is datetime and ((zone := key.tzinfo) is None or zone is UTC)):
        return key
    try:
        if issubclass(type(key), datetime):  # not isinstance: an object may claim a class
            if type(key) is not datetime:
                key = python_time(key)
            if key.tzinfo is not None and key.tzinfo is not UTC and key.utcoffset() is not None:
                return key.astimezone(UTC)
            return key
        if (row := row_of(key)) is not None:
            held = list(map(normal, key))
            return key if all(map(is_, key, held)) else row(held)
    except KeyTypeError:
        raise
    except LACKING as exc:
        _refuse_nested(key, exc)
        raise
    except Exception as exc:  # beyond the years of datetime, or code of the zone or of the key
        raise KeyTypeError(key, "cannot be converted to UTC, in which keys with a zone are compared") from exc
    try:
        return python_number(python_time(key))
    except ValueError as exc:
        raise KeyTypeError(key, str(exc)) from None


def _refuse_nested(key: Any, error: BaseException) -> None:
    """Raise `KeyTypeError` for a tuple whose depth is the reason of a RecursionError; other keys have code of their own."""
    if isinstance(error, RecursionError) and row_of(key) is not None:
        raise KeyTypeError(None, "a tuple nested too deeply to compare") from None


def row_of(key: Any) -> Any:
    """Return tuple or list for a key that is one, and is compared as one: element by element; None for all others."""
    for cls in (tuple, list):
        if issubclass(type(key), cls) and type(key).__lt__ is cls.__lt__:
            return cls
    return None


def kind_of(key: Any) -> Any:
    """Return the kind of a key in index form, which decides with what it can be compared: a type, or a type and more."""
    cls = type(key)
    if issubclass(cls, (datetime, time)):
        return (cls, key.utcoffset() is not None)
    if cls in OWN_KEYS:
        return cls
    if (row := row_of(key)) is not None:
        return (row, *map(kind_of, key))
    return grain(key) or cls


def is_one_kind(keys: Iterable[Any], types: Collection[type]) -> bool:
    """Tell whether any of these keys in index form speaks for all of them; *types* are their exact types. O(1), or O(n).

    They are of one kind, or of a type of which Python's ``<`` raises where the kinds differ, as of datetimes with a zone.
    """
    if len(types) != 1:
        return False
    (cls,) = types
    return cls in OWN_KEYS or len(set(map(kind_of, keys))) == 1


def is_user_defined(key: Any) -> bool:
    """Tell whether code of the user's own compares a key."""
    return any(type(atom) not in OWN_KEYS for atom in _atoms(key))


def _atoms(key: Any) -> Iterable[Any]:
    """Yield the points that a key consists of: itself, or for a tuple the points of its elements."""
    if type(key) not in OWN_KEYS and row_of(key) is not None:
        for part in key:
            yield from _atoms(part)
    else:
        yield key


def _is_point(key: Any) -> bool:
    """Tell whether a key equals itself, which a NaN does not. Raises: `KeyTypeError` if it cannot be compared."""
    try:
        if type(key) in _NEVER_NAN:  # raises for a class that cannot be hashed
            return True
        return all(bool(atom == atom) for atom in _atoms(key))
    except ArithmeticError:  # decimal's signalling NaN raises this
        return False
    except LACKING as exc:
        _refuse_nested(key, exc)
        raise
    except Exception as exc:
        raise KeyTypeError(key, f"cannot be compared with itself ({type(exc).__name__})") from exc


class StatedKeys:
    """Which keys a calendar takes, stated before the first: a type, or ``"aware"`` or ``"naive"`` for datetimes.

    A date is no datetime and a datetime no date; floats have whole numbers among them, as in Python's own arithmetic. A type
    of NumPy or pandas means that in which its keys are held.

    >>> aware = StatedKeys("aware")
    >>> str(aware), aware.has(datetime(2026, 5, 1)), StatedKeys(float).has(3)
    ("keys='aware'", False, True)

    Raises: ValueError for anything else, and for a type whose values have no order.
    """

    __slots__ = ("given", "types", "zoned")

    def __init__(self, given: Any) -> None:
        self.given = given
        self.zoned: bool | None = None
        self.types: tuple[type, ...]
        if is_a(given, type):
            if any(issubclass(given, partial) for partial in _PARTIAL):
                raise ValueError("values of this type have no order from low to high")
            held = _held_as(given)
            self.types = (float, int) if held is float else (held,)
        elif plain_text(given) in ("aware", "naive"):
            self.zoned = plain_text(given) == "aware"
            self.types = (datetime,)
        else:
            raise ValueError("keys are stated by a type, such as datetime or int, or by 'aware' or 'naive'")

    def has(self, key: Any) -> bool:
        """Tell whether a key in index form is one of these."""
        if not any(is_a(key, cls) for cls in self.types) or (date in self.types and is_a(key, datetime)):
            return False
        return self.zoned is None or (key.utcoffset() is not None) is self.zoned

    def may_be_datetimes(self, zoned: bool) -> bool:
        """Tell whether datetimes with a zone, or without one, are among these, or those of a subclass may be.

        >>> StatedKeys("aware").may_be_datetimes(False), StatedKeys(date).may_be_datetimes(False)
        (False, False)
        """
        if any(issubclass(cls, datetime) for cls in self.types):
            return self.zoned is None or self.zoned is zoned
        return self.has(datetime(1970, 1, 1, tzinfo=UTC if zoned else None))

    def __str__(self) -> str:
        return f"keys={self.given.__name__ if self.zoned is None else repr(plain_text(self.given))}"


def _held_as(cls: type) -> type:
    """Return the type in which keys of a type are held."""
    if cls.__module__.partition(".")[0] in ("numpy", "pandas"):
        return attempt(lambda: type(normal(cls(0))), cls)  # a time of NumPy has no unit
    return cls


_OF_CALENDAR = "the keys of this calendar"


class KeyFamily:
    """The kinds of keys that are held together: admits new keys, brings them into index form and remembers their kinds.

    ``fast_type`` is the type whose keys need only ``start < end`` to be admitted; the ``tzinfo`` of datetimes has to be
    ``zone`` as well, which is UTC or None. If ``fast_type`` is None, every span is checked in full: there are no keys, or
    keys of several kinds, or ``user_defined`` is true: code of the user's own compares some keys, so that two keys of one
    class may not be comparable.

    >>> family = KeyFamily(False, lambda: [])
    >>> low, high = family.admit(9, 12)
    >>> family.learn(low, high)
    >>> family.fast_type, family.needs_no_check(10, 11), family.needs_no_check(11, 10)
    (<class 'int'>, True, False)
    """

    __slots__ = ("_held", "_kinds", "_stated", "asked", "closed", "fast_type", "others", "user_defined", "zone")

    def __init__(
        self,
        closed: bool,
        held: Callable[[], Iterable[Any]],
        others: str = _OF_CALENDAR,
        stated: StatedKeys | None = None,
    ) -> None:
        self.closed = closed
        self._stated = stated
        self.others = others  # what these keys are called in the sentence of an error
        self._held = held  # returns all keys that are held now; called only before a refusal
        self._kinds: dict[Any, Any] = {}
        self.fast_type: Any = None
        self.user_defined = False
        self.asked: Any = None  # the last key that was checked in full, if code of the user's own compares it
        self.zone: tzinfo | None = None

    def needs_no_check(self, start: Any, end: Any) -> bool:
        """Tell whether a span is certainly in order and in index form. If not, `admit` finds out more."""
        fast_type = self.fast_type
        if type(start) is not fast_type or type(end) is not fast_type:
            return False
        if fast_type is datetime and (start.tzinfo is not self.zone or end.tzinfo is not self.zone):
            return False
        try:
            return bool(start < end)
        except LACKING:
            raise
        except Exception:
            return False

    def admit(self, start: Any, end: Any) -> tuple[Any, Any]:
        """Return a span in index form, or raise; nothing is remembered.

        Raises: `InvalidSpanError` for an empty or reversed span, `InvalidKeyError` for a NaN, `KeyTypeError` for a key that
        cannot be compared with those held. O(kinds); before a refusal O(keys held).
        """
        if start is not None and end is not None:
            if self.needs_no_check(start, end):
                return start, end
            (low, low_is_known), (high, high_is_known) = self._key(start, start, end), self._key(end, start, end)
            if not (low_is_known and high_is_known) and (why := incomparable(low, high)) is not None:
                raise KeyTypeError(end, f"cannot be compared with {brief_key(start)} ({why})")
            if not (not high < low if self.closed else bool(low < high)):
                raise InvalidSpanError(start, end, "the end lies before the start" if self.closed else "")
            return low, high
        low, high = (None if key is None else self._key(key, start, end)[0] for key in (start, end))
        return low, high

    def point(self, key: Any) -> Any:
        """Return one key in index form, or raise as `admit` does."""
        fast_type = self.fast_type
        if type(key) is fast_type and (
            fast_type in _NEVER_NAN
            or (key.tzinfo is self.zone if fast_type is datetime else fast_type is float and key == key)
        ):
            return key
        return self._key(key, key, key)[0]

    def _key(self, key: Any, start: Any, end: Any) -> tuple[Any, bool]:
        """Return a key in index form, and whether it can be compared with every key of a kind that is held, by its kind."""
        if self.fast_type is datetime and is_timestamp(key):
            held = normal(key)
            if type(held) is datetime and held.tzinfo is self.zone:
                return held, True
        if not _is_point(key):  # for every type: a NaN is a float among floats
            raise InvalidKeyError(key, start, end)
        if type(key) not in OWN_KEYS:
            for atom in _atoms(key):
                if is_a(atom, _PARTIAL):
                    raise KeyTypeError(key, f"{type(atom).__name__} values have no order from low to high")
                if is_array(atom):
                    raise KeyTypeError(key, "is an array: a key is one value that does not change")
        key = normal(key)
        self.asked = key if type(key) not in OWN_KEYS and is_user_defined(key) else None
        try:
            kind = kind_of(key)
            known = self._kinds.get(kind)  # a class need not be hashable
        except LACKING:
            raise
        except Exception as exc:
            raise KeyTypeError(key, f"cannot be used as a key ({type(exc).__name__})") from exc
        # two keys of a class of the user's own need not be comparable; two times of NumPy's of one grain are
        is_known = known is not None and (type(kind) is Grain or not (self.user_defined and is_user_defined(key)))
        if not is_known and (known is None or incomparable(key, known) is not None):
            self._compatible(key)
        return key, is_known

    def _compatible(self, key: Any) -> None:
        """Raise unless a key of a kind that is new can be compared with itself and with an example of every kind held."""
        if self._stated is not None and not self._stated.has(key):
            raise KeyTypeError(key, f"is no key of this calendar, which was made with {self._stated}", self._stated.given)
        if (why := incomparable(key, key)) is not None:
            raise KeyTypeError(key, f"cannot be compared with its like ({why})")
        refused = self._against(self._kinds, key)
        if refused is not None and self._kinds:
            self._look_again()
            refused = self._against(self._kinds, key)
        if refused is not None:
            reason = f"cannot be compared with {self.others}, such as {brief_key(refused)}"
            raise KeyTypeError(key, reason + self._way_out(key))

    def _way_out(self, key: Any) -> str:
        """Return how to make a calendar that takes a refused key, as the end of a sentence: the first key decides."""
        if self._stated is not None or self.others is not _OF_CALENDAR:
            return ""
        named = "..."
        if issubclass(type(key), datetime):
            named = repr("naive" if key.utcoffset() is None else "aware")
        elif type(key) in OWN_KEYS:
            named = type(key).__name__
        return f"; the first key decides which it takes, or Calendar(keys={named})"

    def _look_again(self) -> None:
        """Forget the kinds of which no key is held any more. O(keys held)."""
        kinds: dict[Any, Any] = {}
        for held in self._held():
            kinds.setdefault(kind_of(held), held)
        self._settle(kinds)

    @staticmethod
    def _against(kinds: dict[Any, Any], key: Any) -> Any:
        """Return a key that cannot be compared with a new key, from the examples of some kinds, or None."""
        for other in kinds.values():
            if incomparable(key, other) is not None:
                return other
        return None

    def learn(self, *keys: Any) -> None:
        """Remember the kinds of keys that are now held, given in index form; None is ignored."""
        for key in keys:
            if key is not None and type(key) is not self.fast_type:
                kind = kind_of(key)
                if kind not in self._kinds:
                    self._settle({**self._kinds, kind: key})

    def knows(self, key: Any) -> bool:
        """Tell whether the kind of a key in index form is remembered."""
        return kind_of(key) in self._kinds

    def sample(self) -> Any:
        """Return an example of the keys that are held, or None."""
        return next(iter(self._kinds.values()), None)

    def take_user_defined(self) -> Any:
        """Return a key that code of the user's own may have compared in the call that ends now, or None.

        It is held, or it was asked about: a command remembers its keys at its end, and not at all if it is undone.
        """
        asked, self.asked = self.asked, None
        return self.sample() if self.user_defined else asked

    def suit(self, asked: Callable[[Any], bool]) -> bool:
        """Tell whether a question is true of an example of each kind that is held. O(kinds); if it is not, O(keys held)."""
        if all(map(asked, self._kinds.values())):
            return True
        self._look_again()
        return all(map(asked, self._kinds.values()))

    def check_datetimes(self, zoned: bool) -> None:
        """Raise `KeyTypeError` when keys were stated among which there are no datetimes with a zone, or without one."""
        if self._stated is not None and not self._stated.may_be_datetimes(zoned):
            needed = f"datetimes {'with' if zoned else 'without'} a zone"
            raise KeyTypeError(self._stated.given, f"the hours need {needed}, and the calendar was made with {self._stated}")

    def reset(self) -> None:
        """Forget all kinds, when no key is held any more."""
        self._settle({})

    def _settle(self, kinds: dict[Any, Any]) -> None:
        """Replace the kinds, and what follows from them: ``fast_type``, ``zone`` and ``user_defined``."""
        fast_type: Any = None
        zone: tzinfo | None = None
        user_defined = any(map(is_user_defined, kinds.values()))
        if len(kinds) == 1 and not user_defined:
            (kind,) = kinds
            # not for tuples, which can contain anything
            if kind in ((datetime, False), (datetime, True)):
                fast_type, zone = datetime, UTC if kind[1] else None
            elif isinstance(kind, type):
                fast_type = kind
        # all at once, without a call, so that Ctrl-C cannot come between
        self._kinds, self.fast_type, self.zone, self.user_defined = kinds, fast_type, zone, user_defined


def incomparable(first: Any, second: Any) -> str | None:
    """Return why two keys in index form cannot be ordered, None if they can. Tuples are compared element by element."""
    own = type(first) in OWN_KEYS and type(second) in OWN_KEYS
    try:
        if not own and (row := row_of(first)) is not None and row is row_of(second):
            for part, opposite in zip(first, second, strict=False):
                if (why := incomparable(part, opposite)) is not None:
                    return why
            return None
        below, above = bool(first < second), bool(second < first)
        left, right = (None, None) if own else (grain(first), grain(second))
    except LACKING:
        raise
    except Exception as exc:  # the user's own class may raise anything
        return type(exc).__name__
    if below and above:
        return "each is less than the other"
    if left is not None and right is not None:
        return None if left.mixes(right) else "NumPy would round one of them, or has no room for it in the unit of the other"
    time, other = (left, second) if left is not None else (right, first)
    if time is not None and is_a(other, (Number,)):
        return "NumPy would take the number for a time, in whatever unit the other one has"
    if time is not None and time.is_finer_than_nanoseconds():
        return "only NumPy has units finer than a nanosecond"
    return None
