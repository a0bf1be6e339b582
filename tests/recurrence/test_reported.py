"""Calendar files after public bug reports, each with its right answer, and why it is right, in `reported.json`."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bookcore.errors import CalendarFileError
from bookcore.integrations.ical import IcsEvents, read_ics

pytest.importorskip("icalendar", reason="icalendar (extra: ical) is not installed")

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "reported.json").read_text(encoding="utf-8"))


def told(key: date) -> str:
    """Return a key as the answers have it."""
    return (key.astimezone(UTC) if isinstance(key, datetime) and key.tzinfo else key).isoformat()


def spans(events: IcsEvents) -> list[list[str]]:
    """Return the spans of events as the answers have them."""
    return sorted([told(start), told(end)] for event in events for start, end in islice(event.spans(), 300))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_reported_file_has_its_right_answer(case: dict[str, Any]) -> None:
    """What is read is what was meant, or it is refused by name; with ``skip`` the rest is read, and the bad part listed."""
    zone = {"zone": case["zone"]} if "zone" in case else {}
    if case["expect"] in ("spans", "count"):
        found = spans(read_ics(case["ics"], **zone))
        assert found == sorted(case["spans"]) if "spans" in case else len(found) == case["count"]
        return
    with pytest.raises(CalendarFileError) as caught:
        read_ics(case["ics"], **zone)
    assert caught.value.line is not None
    events = read_ics(case["ics"], on_bad="skip", **zone)
    assert spans(events) == case["spans"]
    assert [str(error) for error in events.bad] == [str(caught.value)]
