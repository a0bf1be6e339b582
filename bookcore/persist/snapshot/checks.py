"""What must hold among the columns of a state, whoever wrote them: checked a column at a time.

All raise `Unreadable`, and nothing else. Keys and ids may be of the user's classes, whose code may fail in
any way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from itertools import chain, islice, repeat
from operator import attrgetter, eq, is_, is_not, lt
from typing import Any

from bookcore.model.keys import normal
from bookcore.model.lengths import wrong_with
from bookcore.persist.codec.blob import Unreadable
from bookcore.persist.codec.columns import KeyColumn
from bookcore.persist.errors import failure

__all__ = [
    "check_all",
    "check_closure_ids",
    "check_distinct",
    "check_fields",
    "check_ids",
    "check_lengths",
    "check_members",
    "check_positive",
    "check_spans",
    "checked_facts",
]

_zone = attrgetter("tzinfo")


def checked_facts(facts: Any) -> tuple[str, list[str], int, int, int]:
    """Return bounds, classes, event type and the last numbers out of the one row about the calendar."""
    (row,) = facts
    if type(row) is not tuple or tuple(map(type, row)) != (str, list, int, int, int):
        raise Unreadable("the facts about the calendar are not what they should be")
    bounds, classes, event_type, last, last_closure = row
    if bounds not in ("[)", "[]"):
        raise Unreadable(f"bounds {bounds[:8]!r}")
    if set(map(type, classes)) - {str} or len(set(classes)) != len(classes):
        raise Unreadable("class names that are none, or twice the same")
    if not 0 <= event_type < len(classes) or not 0 <= last < 1 << 63 or last_closure < 0:
        raise Unreadable("an event type that is not in the file, or a number out of range")
    return bounds, classes, event_type, last, last_closure


def check_ids(ids: Sequence[Any]) -> None:
    """Refuse ids that are None, unhashable, or twice the same."""
    if None in check_distinct(ids):
        raise Unreadable("None for an id")


def check_distinct(ids: Sequence[Any]) -> set[Any]:
    """Refuse what is unhashable, or twice the same; return the set of it."""
    try:
        distinct = set(ids)
    except MemoryError:
        raise
    except Exception as exc:
        raise Unreadable(f"an id that cannot be hashed ({type(exc).__name__})") from exc
    if len(distinct) != len(ids):
        raise Unreadable("an id twice")
    return distinct


def check_all(values: list[Any], cls: type) -> None:
    """Refuse values that are not of exactly *cls*."""
    if set(map(type, values)) - {cls}:
        raise Unreadable(f"something that is no {cls.__name__}")


def check_closure_ids(ids: list[Any], last: int) -> None:
    """Refuse ids of closures that the calendar has not given out."""
    if set(map(type, ids)) - {int} or (ids and not 0 < min(ids) <= max(ids) <= last):
        raise Unreadable("a closure with an id that was never given")
    check_ids(ids)


def check_positive(values: Sequence[int]) -> None:
    """Refuse a capacity or quantity of zero."""
    if 0 in values:
        raise Unreadable("a capacity or quantity of 0")


def check_lengths(values: Sequence[Any]) -> None:
    """Refuse turnaround by which no key can be moved."""
    if any(wrong_with(value) for value in values if value is not None):
        raise Unreadable("a turnaround that is no length")


def check_members(members: list[Any], below: int) -> None:
    """Refuse what is not, for each row, a list of different places below so many."""
    check_all(members, list)
    places = list(chain.from_iterable(members))
    if set(map(type, places)) - {int} or (places and not 0 <= min(places) <= max(places) < below):
        raise Unreadable("members that are not there")
    if any(len(set(row)) != len(row) for row in members):
        raise Unreadable("a member twice")


def check_fields(fields: list[Any]) -> bool:
    """Refuse what is neither None nor a dict with names for keys; tell whether there is any dict."""
    if not any(map(is_not, fields, repeat(None))):
        return False
    types = set(map(type, fields))
    if types - {dict, type(None)}:
        raise Unreadable("fields that are no dict")
    if dict in types and set(map(type, chain.from_iterable(filter(None, fields)))) - {str}:
        raise Unreadable("fields whose names are no texts")
    return True


def check_spans(keys: KeyColumn, closed: bool) -> KeyColumn:
    """Refuse keys that are not points of the axis, and starts that do not come before their ends.

    Return the keys, with the index form of their table if they have one. In index form they are compared:
    Python compares two datetimes of one zone by their faces, which go back and forth with the clock.
    """
    half = len(keys.values) // 2
    try:
        points = keys.values if keys.table is None else keys.table
        if not all(map(eq, points, points)):
            raise Unreadable("a key that does not equal itself (NaN)")
        types = set(map(type, points))
        found = points
        if any(issubclass(cls, datetime | tuple) for cls in types) and (
            keys.table is not None or _by_faces(points, types)
        ):
            found = list(map(normal, points))
        starts: Any
        ends: Any
        if keys.table is None:
            starts, ends = islice(found, half), islice(found, half, None)
        else:
            keys = keys._replace(normals=found)
            if found is points or all(map(is_, found, points)):
                starts, ends = islice(keys.values, half), islice(keys.values, half, None)
            else:
                places: Any = keys.entries
                starts = map(found.__getitem__, places[:half])
                ends = map(found.__getitem__, places[half:])
        if type(None) in types:
            pairs = [
                pair for pair in zip(starts, ends, strict=True) if pair[0] is not None and pair[1] is not None
            ]
            starts, ends = [start for start, _ in pairs], [end for _, end in pairs]
        right = not any(map(lt, ends, starts)) if closed else all(map(lt, starts, ends))
    except (Unreadable, MemoryError):
        raise
    except Exception as exc:
        raise Unreadable(f"keys that cannot be compared ({failure(exc)})") from exc
    if not right:
        raise Unreadable("a span that ends before it starts")
    return keys


def _by_faces(points: Iterable[Any], types: set[type]) -> bool:
    """Tell whether datetimes among these, or in tuples of them, may be compared by faces that do not tell their order."""
    inner = [point for point in points if isinstance(point, tuple)] if types != {datetime} else []
    if types != {datetime}:
        points = [point for point in points if isinstance(point, datetime)]
    zones = set(map(type, map(_zone, points)))
    if not zones <= {type(None), timezone}:  # the faces of a fixed offset are in the order of time
        return True
    atoms = list(chain.from_iterable(inner))  # one level deeper; a file has few of them
    return bool(atoms) and _by_faces(atoms, set(map(type, atoms)))
