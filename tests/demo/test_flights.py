"""The shipped data is the source's, whole and in its order, and a damaged file is never read."""

from __future__ import annotations

import csv
import gzip
import lzma
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bookcore.demo.flights import PATH, DemoDataError, Flights, Rotation, read_flights

SOURCE = Path(__file__).parents[2] / "../shared/data/flights/flights.csv.gz"


@pytest.fixture(scope="module")
def source() -> list[dict[str, str]]:
    """The rows of the source that have both ends."""
    if not SOURCE.is_file():
        pytest.skip(f"the source of the flights is not at {SOURCE}; only the shipped file is tested")
    with gzip.open(SOURCE, "rt", newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["start"] and row["end"]]


def test_shipped_file_holds_every_aircraft_and_flight(year: Flights, rotations: list[Rotation]) -> None:
    """4,037 aircraft, 328,063 flights, every aircraft with a flight, no id twice, no flight backwards."""
    assert (len(year.aircraft), len(year), len(rotations)) == (4037, 328063, 328063)
    assert {row.tail for row in rotations} == {plane.tail for plane in year.aircraft}
    assert len({row.id for row in rotations}) == 328063
    assert all(row.start < row.end and row.sched_start < row.sched_end for row in rotations)


def test_shipped_file_is_below_four_megabytes() -> None:
    """The wheel stays small."""
    assert len(PATH.read_bytes()) < 4_000_000


def test_every_row_equals_the_source_in_its_order(
    source: list[dict[str, str]], rotations: list[Rotation]
) -> None:
    """Order, ids, names and places of all rows are the source's; times of every 50th row, to the second."""
    assert [str(row.id) for row in rotations] == [row["booking_id"] for row in source]
    names = [(row["resource_id"], row["flight"], row["origin"], row["dest"]) for row in source]
    assert [(row.tail, row.flight, row.origin, row.dest) for row in rotations] == names
    for ours, theirs in zip(rotations[::50], source[::50], strict=True):
        for name in ("start", "end", "sched_start", "sched_end"):
            assert getattr(ours, name) == datetime.fromisoformat(theirs[name])


def test_times_are_utc_and_equal_times_are_one_object(rotations: list[Rotation]) -> None:
    """A key costs memory once, however many flights share it."""
    seen: dict[datetime, datetime] = {}
    for row in rotations[:20000]:
        for moment in row[5:]:
            assert moment.tzinfo is UTC
            assert seen.setdefault(moment, moment) is moment


def test_unknown_facts_are_none_and_known_ones_typed(year: Flights) -> None:
    """The register knows 3,316 of the aircraft; numbers are numbers."""
    known = [plane for plane in year.aircraft if plane.type is not None]
    assert len(known) == 3316
    assert {type(plane.seats) for plane in known} == {int}
    assert all(plane.seats is None for plane in year.aircraft if plane.type is None)


def test_near_lists_airports_by_distance(year: Flights) -> None:
    """New York's three come first; an airport whose place is unknown is never near."""
    assert year.near("JFK", 40) == ["JFK", "LGA", "EWR"]
    assert "SJU" not in year.near("JFK", 40000)


def test_damaged_file_is_refused() -> None:
    """A file that was cut, or has a bit flipped: a `DemoDataError` that names it."""
    data = PATH.read_bytes()
    dice = random.Random(5)
    for _ in range(8):
        changed = bytearray(data)
        changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        for damaged in (bytes(changed), data[: dice.randrange(len(data))]):
            with pytest.raises(DemoDataError, match=r"flights.json.xz: cannot be unpacked"):
                read_flights(damaged)


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"tables": {}, "numbers": {"id": [1], "start": [2]}}', b"no JSON"])
def test_file_of_something_else_is_refused(content: bytes) -> None:
    """A whole file that holds no flights is refused as well."""
    with pytest.raises(DemoDataError):
        read_flights(lzma.compress(content))
