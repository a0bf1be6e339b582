"""`Calendar.open`: what was acknowledged is there again, in one process after the other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bookcore import Calendar

FAMILIES = ("int", "Decimal", "str", "datetime", "zone", "tuple")


@pytest.mark.parametrize("name", FAMILIES)
def test_after_every_step_the_directory_holds_the_calendar(name: str, world: SimpleNamespace, tmp_path: Path) -> None:
    """A calendar is shut down and opened again after each step, and has the same digest; every third time it is killed."""
    key = world.families[name]
    clock = world.Clock(key(0))
    twin_clock = world.Clock(key(0))
    twin = Calendar(clock=twin_clock)
    calendar = Calendar.open(tmp_path, types=world.TYPES, clock=clock)
    steps = zip(world.history(calendar, clock, key), world.history(twin, twin_clock, key), strict=True)
    for number, (step, _) in enumerate(steps):
        assert calendar.digest() == twin.digest(), step
        if number % 5 == 4:
            calendar.checkpoint()
    digest = calendar.digest()
    calendar.shut_down()
    again = Calendar.open(tmp_path, types=world.TYPES, clock=clock)
    assert again.digest() == digest
    again.check()
    again.shut_down()
