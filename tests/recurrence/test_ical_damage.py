"""Damaged calendar files: bytes flipped, lines cut, doubled or swapped. Only errors of ours come, in bounded time."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from bookcore.errors import BookcoreError
from bookcore.integrations.ical import read_ics

ROUNDS = 2000 if os.environ.get("BOOKCORE_EXAMPLES") == "many" else 25
MARKS = [bytes([mark]) for mark in b";:,-Z\0\r\xff"]
FOLDER = os.environ.get("BOOKCORE_DAMAGE_FOLDER")  # of further calendar files
BUSY = """BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:There
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VAVAILABILITY
UID:a
PRIORITY:3
BUSYTYPE:BUSY
DTSTART;TZID=There:20260504T090000
DURATION:P30D
BEGIN:AVAILABLE
DTSTART;TZID=There:20260504T090000
DTEND;TZID=There:20260504T170000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE;UNTIL=20270101T000000Z
EXDATE;TZID=There:20260511T090000
END:AVAILABLE
END:VAVAILABILITY
BEGIN:VFREEBUSY
FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260504T090000Z/PT1H,20260504T110000Z/20260504T120000Z
END:VFREEBUSY
BEGIN:VEVENT
UID:b
SEQUENCE:3
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260504
DURATION:P2D
RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=1,-1;COUNT=40;WKST=SU
RDATE;VALUE=DATE:20260601,20260602
BEGIN:VALARM
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:b
RECURRENCE-ID;TZID=There:20260601T000000
DTSTART;TZID=There:20260603T110000
DTEND;TZID=There:20260603T120000
STATUS:TENTATIVE
END:VEVENT
END:VCALENDAR
"""


def seeds() -> list[bytes]:
    cases = json.loads(Path(__file__).with_name("reported.json").read_text())
    texts = [BUSY.encode()]
    for case in cases["cases"] if isinstance(cases, dict) else cases:
        text = case.get("text") or case.get("ics") if isinstance(case, dict) else None
        if isinstance(text, str):
            texts.append(text.encode("utf-8", "surrogateescape"))
    if FOLDER is not None:
        texts += [path.read_bytes() for path in sorted(Path(FOLDER).rglob("*.ics")) if path.stat().st_size < 200_000]
    return texts


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Return a file with some damage."""
    for _ in range(rng.randrange(1, 5)):
        lines = data.split(b"\n")
        place = rng.randrange(len(lines))
        match rng.randrange(9):
            case 0:
                at = rng.randrange(len(data) or 1)
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[: rng.randrange(len(data) + 1)]
            case 2:
                del lines[place]
                data = b"\n".join(lines)
            case 3:
                lines.insert(rng.randrange(len(lines) + 1), lines[place])
                data = b"\n".join(lines)
            case 4:
                other = rng.randrange(len(lines))
                lines[place], lines[other] = lines[other], lines[place]
                data = b"\n".join(lines)
            case 5:  # a digit becomes another, or many
                digits = [at for at, byte in enumerate(data[:20_000]) if 48 <= byte <= 57]
                if digits:
                    at = rng.choice(digits)
                    data = data[:at] + str(rng.choice([0, 9, 99, 10**rng.randrange(12)])).encode() + data[at + 1 :]
            case 6:
                lines[place] = lines[place][: rng.randrange(len(lines[place]) + 1)]
                data = b"\n".join(lines)
            case 7:
                words = [b"DAILY", b"SECONDLY", b"BYDAY=", b"COUNT=", b"TZID=", *MARKS]
                at = rng.randrange(len(data) + 1)
                data = data[:at] + rng.choice(words) + data[at:]
            case _:  # a word of another line
                value = rng.choice(lines).partition(b":")[2]
                lines[place] = lines[place].partition(b":")[0] + b":" + value
                data = b"\n".join(lines)
    return data


def read_all(data: bytes, zone: str | None, on_bad: str) -> None:
    """Read a file and ask what it says."""
    events = read_ics(data, zone=zone, on_bad=on_bad, busy_only=on_bad == "raise")
    for event in events:
        for start, end in islice(event.spans(), 30):
            assert not end < start or start.tzinfo is not None  # type: ignore[attr-defined]
    first = datetime(2026, 5, 1, tzinfo=UTC)
    list(islice(events.unavailable(first, first + timedelta(days=2)), 500))


def rounds(texts: list[bytes]) -> Iterable[tuple[int, int]]:
    return ((place, seed) for seed in range(ROUNDS) for place in range(len(texts)))


def test_damaged_files_give_errors_of_ours_and_end() -> None:
    """Whatever the damage: events, or an error that has a name; a file that takes without end is a test without end."""
    texts = seeds()
    assert len(texts) > 10
    for place, seed in rounds(texts):
        rng = random.Random(f"{place} {seed}")
        data = damaged(rng, texts[place])
        zone, on_bad = rng.choice([None, "Europe/Berlin"]), rng.choice(["raise", "skip"])
        try:
            read_all(data, zone, on_bad)
        except BookcoreError:
            pass
        except Exception as fault:
            pytest.fail(f"file {place}, seed {seed}: {type(fault).__name__}: {fault}")
