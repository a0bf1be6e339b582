"""A university's rooms, a year of five instances. The data is not part of the project: without it this skips.

As published they have 13 conflicts with half-open spans, all between windows in which a room is said to be unavailable
twice, and 6,874 with closed ones: rows that, put in one by one in the order of the file, overlap one that is in already.
"""

from __future__ import annotations

import csv
import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bookcore import Calendar, Resource

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "timetable"
if not FOLDER.is_dir():
    pytest.skip("the folder of university timetables, ../shared/data/timetable, is not here", allow_module_level=True)

KNOWN: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text())
NAMES = {"[)": "half_open", "[]": "closed"}
ALL = 100
"""More than ever use a room at once; a room with none of so many units in use is free."""


class Row(NamedTuple):
    """One occurrence of a class in a room, or a window in which the room cannot be used."""

    room: str
    start: int
    end: int
    id: int
    kind: str


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """All rows, in the order of the file."""
    with gzip.open(FOLDER / "timetable.csv.gz", "rt", newline="") as file:
        return [
            Row(row["resource_id"], int(row["start"]), int(row["end"]), int(row["booking_id"]), row["kind"])
            for row in csv.DictReader(file)
        ]


def digest(text: str) -> str:
    """Return a digest as the known answers have it."""
    return sha256(text.encode()).hexdigest()[:16]


def digest_of_ids(ids: list[Any]) -> str:
    """Return the digest of booking ids in ascending order."""
    return digest(",".join(map(str, sorted(ids))))


@pytest.mark.parametrize("bounds", NAMES)
def test_published_timetables_have_their_known_conflicts(rows: list[Row], bounds: Any) -> None:
    """`book_all` takes what fits in the order of the file, and names what is in the way of the rest."""
    calendar = Calendar(bounds=bounds)
    for room in dict.fromkeys(row.room for row in rows):
        calendar.add_resource(Resource(room))
    requests = [{"resource": r.room, "start": r.start, "end": r.end, "id": r.id, "kind": r.kind} for r in rows]
    report = calendar.book_all(requests, on_conflict="skip")
    expected = KNOWN["insert_in_file_order"][NAMES[bounds]]
    assert (len(report.booked), len(report.refused)) == (expected["accepted"], expected["conflicts"])
    assert len(report.refused) == {"[)": 13, "[]": 6_874}[bounds]
    assert digest_of_ids([event.id for event in report.booked]) == expected["accepted_ids_sha"]
    touching = 0 if bounds == "[)" else 1
    for refusal in report.refused:
        start, end = refusal.request["start"], refusal.request["end"]
        assert refusal.conflicts
        assert all(e.start < end + touching and start < e.end + touching for e in refusal.conflicts)
    if bounds == "[)":
        assert {r.request["kind"] for r in report.refused} == {"unavailable"}
        assert {e.fields["kind"] for r in report.refused for e in r.conflicts} == {"unavailable"}
    calendar.check()


@pytest.mark.parametrize("bounds", NAMES)
def test_questions_about_the_timetables_have_their_known_answers(rows: list[Row], bounds: Any) -> None:
    """Every row stands, overlaps and all, in rooms of many units: who is busy, who is free, when next, how many at most."""
    calendar = Calendar(bounds=bounds)
    for room in dict.fromkeys(row.room for row in rows):
        calendar.add_resource(Resource(room, capacity=ALL))
    for row in rows:
        calendar.book(row.room, row.start, row.end, id=row.id)
    name = NAMES[bounds]
    asked = 0
    for query in KNOWN["queries"]:
        if name not in query:
            continue
        found, expected = answer(calendar, query), query[name]
        asked += 1
        if query["op"] == "find_booked":
            assert (len(found), digest_of_ids(found)) == (expected["count"], expected["ids_sha"]), query["id"]
        elif query["op"] == "find_available":
            assert len(found) == expected["count"], query["id"]
            assert digest("\n".join(sorted(found))) == expected["resources_sha"], query["id"]
        else:
            assert found == expected, query["id"]
    assert asked == {"[)": 206, "[]": 170}[bounds]


def answer(calendar: Calendar, query: dict[str, Any]) -> Any:
    """Ask the calendar one of the known questions."""
    room: Any = query.get("resource")
    start: Any = query.get("start")
    end: Any = query.get("end")
    if query["op"] == "find_booked":
        return [event.id for event in calendar.bookings(room, start, end)]
    if query["op"] == "find_available":
        return calendar.find_available(start, end, quantity=ALL).ids()
    if query["op"] == "is_available":
        return calendar.is_available(room, start, end, quantity=ALL)
    if query["op"] == "next_free":
        found = calendar.next_available(room, query["after"], query["length"], quantity=ALL)
        return None if found is None or (query["before"] is not None and found[1] > query["before"]) else found[0]
    if room is not None:
        return max(used for _, _, used in calendar.occupancy(room, start, end))
    touching = 0 if calendar.bounds == "[)" else 1
    events = list(calendar.bookings(None, start, end))
    return max((sum(e.start <= at < e.end + touching for e in events) for at in range(start, end + touching)), default=0)
