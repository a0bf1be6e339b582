"""Real .ics files against their known occurrences. The files are not part of the project: without them this skips."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bookcore.errors import BookcoreError
from bookcore.integrations.ical import IcsEvent, read_ics

pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "calendars"
if not FOLDER.is_dir():
    pytest.skip("the folder of real calendars, ../shared/data/calendars, is not here", allow_module_level=True)

EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected_occurrences.json").read_text())["files"]
AMBIGUOUS: list[str] = sorted(path.name for path in (FOLDER / "ics_ambiguous").glob("*.ics"))


def utc(key: date) -> datetime:
    """Read dates and floating times as UTC, as the expected occurrences have them."""
    if not isinstance(key, datetime):
        return datetime.combine(key, time(), UTC)
    return key.replace(tzinfo=UTC) if key.tzinfo is None else key.astimezone(UTC)


def bound(event: IcsEvent, end: datetime) -> date:
    """Return the end of the window, a day later, as a key of the event's own kind."""
    end += timedelta(days=1)
    if not isinstance(event.start, datetime):
        return end.date()
    return end.replace(tzinfo=None) if event.start.tzinfo is None else end


@pytest.mark.parametrize("name", EXPECTED)
def test_real_calendar_has_its_known_occurrences(name: str) -> None:
    """Every VEVENT expanded through recurring gives the file's occurrences in its window, all of them and no other."""
    expected = EXPECTED[name]
    start, end = map(datetime.fromisoformat, expected["window"])
    found = []
    for event in read_ics((FOLDER / "ics" / name).read_bytes(), busy_only=False):
        for begin, ended in ((utc(a), utc(b)) for a, b in event.spans(until=bound(event, end))):
            if begin < end and (start < ended or start <= begin):
                found.append(f"{begin:%Y-%m-%dT%H:%M:%SZ}/{ended:%Y-%m-%dT%H:%M:%SZ}")
    found.sort()
    listed = ["/".join(pair) for pair in expected["occurrences"]]  # the first 400 of them
    assert found[: len(listed)] == listed
    assert len(found) == expected["n"]
    assert hashlib.sha256("\n".join(found).encode()).hexdigest()[:16] == expected["occurrences_sha256_16"]


def test_every_expected_file_is_there() -> None:
    """All 71 files are checked above, none is left out."""
    assert sorted(EXPECTED) == sorted(path.name for path in (FOLDER / "ics").glob("*.ics"))
    assert len(EXPECTED) == 71


@pytest.mark.filterwarnings("ignore")  # icalendar warns of zones whose names it had to guess
@pytest.mark.parametrize("name", AMBIGUOUS)
def test_contradictory_calendar_is_answered_or_refused(name: str) -> None:
    """A file that means two things, or nothing, gives ordered spans or one of our errors."""
    with suppress(BookcoreError):
        for event in read_ics((FOLDER / "ics_ambiguous" / name).read_bytes()):
            spans = [(utc(a), utc(b)) for a, b in islice(event.spans(), 50)]
            assert spans == sorted(spans)
            assert all(start <= end for start, end in spans)
