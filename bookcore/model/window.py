"""`Window`: the span of a question, and in which form the keys of its answers are returned.

    asked              held and computed            answered
    09:00 Berlin       07:00Z                       09:00 Berlin: the object that the caller gave
    17:00 New York     21:00Z                       23:00 Berlin: both ends of an answer are in one zone
                       10:00Z                       12:00 Berlin

All questions convert their computed keys here. The zone is that of the start, without a start that of the end, and where the
question has no bound at all, that of a booking. In tuples each element has a zone of its own. pandas' timestamps answer
a question that was asked with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from bookcore.model.errors import LACKING
from bookcore.model.keys import normal, row_of
from bookcore.model.pandas_scalars import is_timestamp


class Window:
    """A span as it was given and in index form.

    Answers are in the zone and of the type of ``model``, a key; None: as they are computed.

    >>> from datetime import timedelta, timezone
    >>> noon = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    >>> low = normal(noon)
    >>> window = Window(noon, None, low, None)
    >>> first, last = window.in_asked_zone(low, low + timedelta(hours=1))
    >>> first is noon, str(last)
    (True, '2026-05-01 13:00:00+02:00')
    """

    __slots__ = ("_changes", "end", "high", "low", "model", "start")

    def __init__(self, start: Any, end: Any, low: Any, high: Any, model: Any = None) -> None:
        self.low, self.high = low, high
        self.model = start if start is not None else end if end is not None else model
        self._changes = False
        self.start, self.end = start, end
        zone, of_pandas = zone_of(self.model), is_timestamp(self.model)
        if zone is not None or of_pandas or row_of(self.model) is not None:
            self._changes = zone is not UTC or of_pandas  # computed keys are in UTC
            self.start, self.end = _alike(self.model, start, end)

    def in_asked_zone(self, first: Any, last: Any) -> tuple[Any, Any]:
        """Return the ends of an answer, which are in index form, as the caller is to see them. O(1)."""
        if self._changes:
            return _alike(self.model, self._given(first), self._given(last))
        return self.start if first is self.low else first, self.end if last is self.high else last

    def _given(self, key: Any) -> Any:
        return self.start if key is self.low else self.end if key is self.high else key

    def all_in_asked_zone(self, answers: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Yield answers, tuples of which the first two elements are their ends, as `in_asked_zone` returns these."""
        if not self._changes and self.start is self.low and self.end is self.high:
            return iter(answers)
        return ((*self.in_asked_zone(first, last), *more) for first, last, *more in answers)


def zone_of(key: Any) -> tzinfo | None:
    """Return the zone of a datetime that has one; None for all other keys.

    >>> zone_of(datetime(2026, 5, 1, tzinfo=UTC)), zone_of(datetime(2026, 5, 1)), zone_of(12)
    (datetime.timezone.utc, None, None)
    """
    if not issubclass(type(key), datetime):
        return None
    try:
        zone: tzinfo | None = key.tzinfo if key.utcoffset() is not None else None
    except LACKING:
        raise
    except Exception:  # code of the key's class, which its opening hours did not need
        return None
    return zone


def _alike(model: Any, *keys: Any) -> tuple[Any, ...]:
    """Return keys as *model* is: in its zone. If one of them cannot be, all are in UTC."""
    try:
        return tuple(_in_zone_of(key, model) for key in keys)
    except LACKING:
        raise
    except Exception:  # beyond the years of datetime in that zone, or code of the zone
        return tuple(map(normal, keys))


def _in_zone_of(key: Any, model: Any) -> Any:
    if key is None or key is model:
        return key
    if (row := row_of(key)) is not None:
        if row_of(model) is not row:
            return key
        parts = [_in_zone_of(part, like) for part, like in zip(key, model, strict=False)]
        parts += key[len(parts) :]
        return key if all(part is given for part, given in zip(parts, key, strict=True)) else row(parts)
    zone = zone_of(model)
    if zone is not None and (own := zone_of(key)) is not None and own is not zone:
        key = key.astimezone(zone)
    if is_timestamp(model) and type(key) is datetime:
        return type(model)(key)
    return key
