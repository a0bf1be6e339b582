"""The shipped data is the source's, whole and in its order, and a damaged file is never read."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bookcore.demo.build_data import build
from bookcore.demo.columns import Columns, DemoDataError, pack, unpack
from bookcore.demo.flights import PATH, Flights, Rotation, read_flights

SOURCE = Path(__file__).parents[2] / "../shared/data/flights/flights.csv.gz"
SMALL = Columns(
    {"title": "t"}, {"names": ["ä", {"b": 1}]}, {"x": [5, 7, -6, 70000], "y": [], "z": [300, 301]}
)


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


def test_built_file_reads_as_the_rows_it_was_built_from(tmp_path: Path) -> None:
    """The build script keeps order, drops rows without an end, and reads NA as unknown."""
    (tmp_path / "planes.csv").write_text(
        "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\nN1,NA,Fixed,BOEING,7,2,9,NA,Turbo-fan\n"
    )
    (tmp_path / "airports.csv").write_text("faa,name,lat,lon\nJFK,Kennedy,40.6,-73.7\nXXX,Nowhere,0,0\n")
    (tmp_path / "airlines.csv").write_text("carrier,name\nDL,Delta\n")
    times = ("2013-01-02T00:00:00Z", "2013-01-02T01:00:00Z", "2013-01-01T23:50:00Z", "2013-01-02T01:10:00Z")
    names = (
        "resource_id",
        "booking_id",
        "flight",
        "origin",
        "dest",
        "start",
        "end",
        "sched_start",
        "sched_end",
    )
    rows = [
        dict(zip(names, ("N2", "7", "DL1", "JFK", "SJU", *times), strict=True)),
        dict(zip(names, ("N3", "8", "DL1", "JFK", "SJU", times[0], "", *times[2:]), strict=True)),
        dict(zip(names, ("N1", "9", "DL2", "JFK", "SJU", *times), strict=True)),
    ]
    found = read_flights(build(rows, tmp_path))
    moments = [datetime.fromisoformat(text) for text in times]
    assert list(found.rows()) == [
        (7, "N2", "DL1", "JFK", "SJU", *moments),
        (9, "N1", "DL2", "JFK", "SJU", *moments),
    ]
    assert found.aircraft[0] == ("N2", *[None] * 7)
    assert found.aircraft[1] == ("N1", None, "Fixed", "BOEING", "7", 2, 9, "Turbo-fan")
    assert list(found.airports) == ["JFK"]


def test_columns_come_back_as_they_went_in() -> None:
    """Plain and as differences, negative and wide, empty too."""
    back = unpack(pack(SMALL, delta=["x", "y"]))
    assert (back.head, back.tables, back.numbers) == (SMALL.head, SMALL.tables, SMALL.numbers)


def damaged() -> Iterator[tuple[str, bytes]]:
    """The small file, cut at every length and with bits flipped all over."""
    data = pack(SMALL, delta=["x"])
    for length in range(len(data)):
        yield f"cut to {length}", data[:length]
    yield "a byte more", data + b"\0"
    at_sections = len(data) - sum(entry for entry in _packed(data))
    for at in range(at_sections, len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        yield f"bit flipped in byte {at}", bytes(changed)


def _packed(data: bytes) -> list[int]:
    import json

    length = int.from_bytes(data[8:12], "little")
    return [entry["packed"] for entry in json.loads(data[12 : 12 + length])["sections"]]


def test_damaged_file_is_refused() -> None:
    """Every cut, every flipped bit of the contents: a `DemoDataError` that names the file."""
    for what, data in damaged():
        with pytest.raises(DemoDataError) as caught:
            unpack(data, "here.bkcol")
        assert str(caught.value).startswith("here.bkcol: "), what


def test_head_with_random_bytes_is_refused_or_reads_whole() -> None:
    """Whatever is written into the head, only a `DemoDataError` comes out."""
    data = pack(SMALL)
    dice = random.Random(5)
    refused = 0
    for _ in range(3000):
        changed = bytearray(data)
        changed[dice.randrange(12, len(data) - 40)] = dice.randrange(256)
        try:
            unpack(bytes(changed))
        except DemoDataError:
            refused += 1
    assert refused > 1000


def test_section_that_unpacks_to_more_than_it_says_is_refused() -> None:
    """A small stream cannot fill the memory: unpacking stops at the length in the head."""
    data = pack(Columns({}, {}, {"x": [0] * 1_000_000}))
    told = data.replace(b'"count": 1000000', b'"count": 1000   ').replace(
        b'"raw": 1000000', b'"raw": 1000   '
    )
    assert told != data
    with pytest.raises(DemoDataError, match="does not unpack to 1000 bytes"):
        unpack(told)


def test_file_of_other_columns_is_refused() -> None:
    """A sound file that holds no flights is said to hold something else."""
    with pytest.raises(DemoDataError, match="something else"):
        read_flights(pack(SMALL))
