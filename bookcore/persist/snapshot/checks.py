"""The rules that the columns of a state must satisfy, checked a column at a time.

A file may have been forged, so that nothing is assumed about its values. Each check raises `Unreadable`, and no
other error, although keys and ids may be of the user's classes, whose code may raise any error.
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
    """Return bounds, class names, event type, last booking and last closure number from the row of the calendar."""
    (row,) = facts
    if type(row) is not tuple or tuple(map(type, row)) != (str, list, int, int, int):
        raise Unreadable("the row of the calendar has values of wrong types")
    bounds, classes, event_type, last_sequence, last_closure = row
    if bounds not in ("[)", "[]"):
        raise Unreadable(f"bounds {bounds[:8]!r}")
    if set(map(type, classes)) - {str} or len(set(classes)) != len(classes):
        raise Unreadable("class names that are no texts, or a class name twice")
    if not 0 <= event_type < len(classes) or not 0 <= last_sequence < 1 << 63 or last_closure < 0:
        raise Unreadable("an event type that is not in the file, or a number out of range")
    return bounds, classes, event_type, last_sequence, last_closure


def check_ids(ids: Sequence[Any]) -> None:
    """Raise if an id is None, has no hash, or is there twice."""
    if None in check_distinct(ids):
        raise Unreadable("an id that is None")


def check_distinct(ids: Sequence[Any]) -> set[Any]:
    """Raise if an id has no hash or is there twice; return the set of the ids."""
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
    """Raise unless all values are of exactly *cls*."""
    if set(map(type, values)) - {cls}:
        raise Unreadable(f"a value that is no {cls.__name__}")


def check_closure_ids(ids: list[Any], last_closure: int) -> None:
    """Raise if an id is not one of those the calendar has given to closures, or is there twice."""
    if set(map(type, ids)) - {int} or (ids and not 0 < min(ids) <= max(ids) <= last_closure):
        raise Unreadable("a closure with an id that the calendar has not given")
    check_ids(ids)


def check_positive(values: Sequence[int]) -> None:
    """Raise if a capacity or quantity is zero."""
    if 0 in values:
        raise Unreadable("a capacity or quantity of 0")


def check_lengths(values: Sequence[Any]) -> None:
    """Raise if keys cannot be moved by one of these buffers."""
    if any(wrong_with(value) for value in values if value is not None):
        raise Unreadable("a buffer that is no length")


def check_members(members: list[Any], below: int) -> None:
    """Raise unless each row is a list of distinct places, all of them less than *below*."""
    check_all(members, list)
    places = list(chain.from_iterable(members))
    if set(map(type, places)) - {int} or (places and not 0 <= min(places) <= max(places) < below):
        raise Unreadable("a place of a row that does not exist")
    if any(len(set(row)) != len(row) for row in members):
        raise Unreadable("a place twice in one list")


def check_fields(fields: list[Any]) -> bool:
    """Raise unless each row is None, or a dict with texts for keys; return whether any row is a dict."""
    if not any(map(is_not, fields, repeat(None))):
        return False
    types = set(map(type, fields))
    if types - {dict, type(None)}:
        raise Unreadable("fields that are neither None nor a dict")
    if dict in types and set(map(type, chain.from_iterable(filter(None, fields)))) - {str}:
        raise Unreadable("fields whose names are no texts")
    return True


def check_spans(keys: KeyColumn, closed: bool) -> KeyColumn:
    """Raise if a key is not a point on the axis, or if a start does not come before its end.

    The keys are all starts, then all ends; with *closed* bounds a start may equal its end. Returned are the keys,
    with the index form of their table if they have one. Keys are compared in index form, since Python compares two
    datetimes of one zone by their wall clocks, which jump when the clocks change.
    """
    half = len(keys.values) // 2
    try:
        points = keys.values if keys.table is None else keys.table
        if not all(map(eq, points, points)):
            raise Unreadable("a key that does not equal itself (NaN)")
        types = set(map(type, points))
        normals = points
        if any(issubclass(cls, datetime | tuple) for cls in types) and (
            keys.table is not None or _need_index_form(points, types)
        ):
            normals = list(map(normal, points))
        starts: Any
        ends: Any
        if keys.table is None:
            starts, ends = islice(normals, half), islice(normals, half, None)
        else:
            keys = keys._replace(normals=normals)
            if normals is points or all(map(is_, normals, points)):
                starts, ends = islice(keys.values, half), islice(keys.values, half, None)
            else:
                places: Any = keys.entries
                starts = map(normals.__getitem__, places[:half])
                ends = map(normals.__getitem__, places[half:])
        if type(None) in types:
            pairs = [
                pair for pair in zip(starts, ends, strict=True) if pair[0] is not None and pair[1] is not None
            ]
            starts, ends = [start for start, _ in pairs], [end for _, end in pairs]
        in_order = not any(map(lt, ends, starts)) if closed else all(map(lt, starts, ends))
    except (Unreadable, MemoryError):
        raise
    except Exception as exc:
        raise Unreadable(f"keys that cannot be compared ({failure(exc)})") from exc
    if not in_order:
        raise Unreadable("a span that ends before it starts")
    return keys


def _need_index_form(points: Iterable[Any], types: set[type]) -> bool:
    """Tell whether a datetime here, or in a tuple here, has a zone whose wall clock may run backwards."""
    tuples = [point for point in points if isinstance(point, tuple)] if types != {datetime} else []
    if types != {datetime}:
        points = [point for point in points if isinstance(point, datetime)]
    zones = set(map(type, map(_zone, points)))
    if not zones <= {type(None), timezone}:  # the wall clock of a fixed offset never does
        return True
    elements = list(chain.from_iterable(tuples))
    return bool(elements) and _need_index_form(elements, set(map(type, elements)))
