"""The story is played on a week of the real calendar, and leaves it exactly as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bookcore.demo.flights import Flights
from bookcore.demo.questions import DAY
from bookcore.demo.story import tell
from bookcore.demo.tour import DEFAULT_DAY
from bookcore.demo.world import World


@pytest.fixture(scope="module")
def world(week: Flights) -> World:
    """The week, booked."""
    found = World(week)
    for _ in found.book(list(week.rows())):
        pass
    return found


def facts(world: World) -> tuple[object, ...]:
    """What could have been left behind."""
    calendar = world.calendar
    events = tuple(event.id for event in calendar.bookings(None, DEFAULT_DAY, None))
    return len(calendar), calendar.resources.ids(), events, world.now


def test_story_runs_to_its_end(world: World) -> None:
    """Hold, refusal, reason, alternatives, another booking, an expired hold, neither, both."""
    steps = list(tell(world, "N192JB", DEFAULT_DAY))
    assert [step.good for step in steps] == [True, False, False, True, True, False, False, True]
    outcomes = [step.outcome for step in steps]
    assert outcomes[0].startswith("held until 00:15")
    assert outcomes[1].startswith("ConflictError: 1 ")
    assert "held" in outcomes[2] or "hold" in outcomes[2]
    assert outcomes[5].startswith("HoldExpiredError")
    assert outcomes[5].endswith("free again")
    assert "crew 1 is on duty; N192JB is free" in outcomes[6]
    assert outcomes[7] == "N192JB and crew 2 booked"


def test_story_leaves_the_calendar_as_it_was(world: World) -> None:
    """Told to the end or broken off after any step, nothing of it stands."""
    before = facts(world)
    list(tell(world, "N192JB", DEFAULT_DAY))
    assert facts(world) == before
    for stop in range(8):
        story: Iterator[object] = tell(world, "N192JB", DEFAULT_DAY)
        for _ in range(stop + 1):
            next(story)
        del story
        assert facts(world) == before
    world.calendar.check()


def test_aircraft_that_is_busy_all_day_has_no_story(world: World) -> None:
    """It is left out rather than told of another aircraft."""
    (tail,) = [plane.id for plane in world.calendar.find_available(DEFAULT_DAY, DEFAULT_DAY + DAY).first(1)]
    booking = world.calendar.book(tail, DEFAULT_DAY, DEFAULT_DAY + DAY)
    try:
        assert list(tell(world, tail, DEFAULT_DAY)) == []
    finally:
        world.calendar.remove_booking(booking)
