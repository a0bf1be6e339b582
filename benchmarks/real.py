"""The real sets: flights, bike trips, a university timetable, a genome.

Flights come with the package's own demonstration; everything else is read from ``../shared/data`` beside the
checkout and nothing of it is kept. ``load`` says why a set cannot be had.

Rows without both ends are dropped; of two rows of a resource that overlap the later one in the file is
dropped, which is what a calendar does that refuses it. The genome overlaps by nature and keeps all its rows.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right, insort
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.data import Columns, Dataset
from benchmarks.peers import MissingError
from bookcore.demo.flights import read_flights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["REAL", "Plan", "load", "planned_flights"]

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
EPOCH = datetime(2013, 1, 1)
EPOCH_UTC = datetime(2013, 1, 1, tzinfo=UTC)
REAL = ("flights", "bikeshare", "timetable", "genome_chr1")


@dataclass(frozen=True, slots=True)
class Plan:
    """Flights as scheduled and as flown: row *i* of one is row *i* of the other."""

    aircraft: list[str]
    planned: Columns
    flown: Columns
    key: Callable[[int], Any]


def _minutes(text: str) -> int:
    return int((datetime.fromisoformat(text) - EPOCH_UTC).total_seconds()) // 60


def _naive(point: int) -> datetime:
    return EPOCH + timedelta(minutes=point)


def _aware(point: int) -> datetime:
    return EPOCH_UTC + timedelta(minutes=point)


def _identity(point: int) -> Any:
    return point


def _path(name: str) -> Path:
    path = FOLDER / name / f"{name}.csv.gz"
    if not path.is_file():
        raise MissingError(
            f"{name}: {path.parent.name}/{path.name} is not in ../shared/data beside the checkout"
        )
    return path


def _records(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(_path(name), "rt", newline="") as file:
        yield from csv.DictReader(file)


class _Disjoint:
    """The spans of one resource accepted so far; tells whether another fits."""

    __slots__ = ("spans",)

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []

    def accept(self, start: int, end: int) -> bool:
        at = bisect_right(self.spans, (start, start))
        if at < len(self.spans) and self.spans[at][0] < end:
            return False
        if at and self.spans[at - 1][1] > start:
            return False
        insort(self.spans, (start, end))
        return True


def _flights() -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    minute = timedelta(minutes=1)
    for row in read_flights().rows():
        planned = ((row.sched_start - EPOCH_UTC) // minute, (row.sched_end - EPOCH_UTC) // minute)
        yield row.tail, planned, ((row.start - EPOCH_UTC) // minute, (row.end - EPOCH_UTC) // minute)


def _spans(name: str) -> Iterator[tuple[str, int, int]]:
    if name == "flights":
        for tail, _, (start, end) in _flights():
            yield tail, start, end
        return
    parse = _minutes if name == "bikeshare" else int
    for record in _records(name):
        if record["start"] and record["end"]:
            yield record["resource_id"], parse(record["start"]), parse(record["end"])


def load(name: str, *, limit: int | None = None) -> Dataset:
    """Read a real set into columns; ``MissingError`` with the reason if it is not here.

    Keys: aware ``datetime`` for flights, naive for bikes, plain integers for the timetable and the genome.
    *limit* keeps only the first usable rows. One row in fifty is held back as ``spare``.
    """
    if name not in REAL:
        raise KeyError(name)
    ordinals: dict[str, int] = {}
    taken: list[_Disjoint] = []
    rows, spare = Columns(), Columns()
    for number, (resource, start, end) in enumerate(islice(_spans(name), limit)):
        if not start < end:
            continue
        ordinal = ordinals.setdefault(resource, len(ordinals))
        if ordinal == len(taken):
            taken.append(_Disjoint())
        if name != "genome_chr1" and not taken[ordinal].accept(start, end):
            continue
        (spare if number % 50 == 49 else rows).add(ordinal, start, end)
    reach = (min(rows.start), max(rows.end))
    week = {"flights": 1_440, "bikeshare": 60, "timetable": 2_016, "genome_chr1": 10_000}[name]
    key = {"flights": _aware, "bikeshare": _naive}.get(name, _identity)
    return Dataset(name, len(ordinals), rows, spare, reach, week, key)


def planned_flights(*, limit: int | None = None) -> Plan:
    """Read every usable flight in the order of the source, as scheduled and as flown, conflicts left in."""
    ordinals: dict[str, int] = {}
    planned, flown = Columns(), Columns()
    for tail, scheduled, actual in islice(_flights(), limit):
        ordinal = ordinals.setdefault(tail, len(ordinals))
        planned.add(ordinal, *scheduled)
        flown.add(ordinal, *actual)
    return Plan(list(ordinals), planned, flown, _aware)
