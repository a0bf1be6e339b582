"""`bookcore db` on calendars in partitions: made, checked, repaired."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import Calendar, Resource, copy_calendar
from bookcore.persist.journal.errors import JournalError
from bookcore.persist.shared import databases
from bookcore.persist.shared.partitioned.routing import partition_of


def test_partitions_are_made_for_programs_that_may_make_none(divided: str) -> None:
    """All of them, and the directory; made again nothing is done, also by an address that is bytes."""
    made = databases.init(divided, bounds="[]")
    assert databases.init(divided) == databases.init(divided.encode()) == made  # type: ignore[arg-type]
    with Calendar.open(divided, create=False, follow=False) as calendar:
        calendar.add_resource(Resource("room"))
        assert calendar.book("room", 1, 1).id % 10**12 == 1


def test_a_check_sees_the_directory_all_partitions_and_the_ids(
    parted: Callable[..., Any], divided: str, world: SimpleNamespace, admin: Any
) -> None:
    """What does not fit is told; the tables are made what the records say in each partition."""
    clock = world.Clock(0)
    calendar = parted(clock=clock)
    for _ in world.history(calendar, clock, int):
        pass
    calendar.barrier()
    found = databases.check(divided)
    assert found.is_whole, (found.faults, found.differences)
    assert found.has_tables
    assert (found.position, found.digest) == (calendar.position, calendar.digest())
    assert found.records == sum(calendar.position) + calendar.directory.recorder.position - 4  # each begins at 1
    with pytest.raises(JournalError, match="partitions=4 in the address"):
        databases.check(divided.replace("&partitions=4", ""))
    assert databases.check(f"{divided}&partition=1").is_whole
    assert databases.rebuild(divided) == 0
    assert databases.upgrade(divided).tables_added == ()
    name = found.calendar
    taken = admin.execute("SELECT count(*) FROM bookcore.booking_id WHERE calendar = %s", (name,)).fetchone()[0]
    assert taken
    admin.execute("UPDATE bookcore.booking_id SET partition = partition + 10 WHERE calendar = %s", (name,))
    faults = list(map(str, databases.check(divided).faults))
    assert len([each for each in faults if "is not noted" in each]) > 0
    assert len([each for each in faults if "an id is noted for partition 1" in each]) == taken
    admin.execute("UPDATE bookcore.booking_id SET partition = partition - 10 WHERE calendar = %s", (name,))
    admin.execute("DELETE FROM bookcore.booking WHERE calendar LIKE %s", (f"{name}/%",))
    assert {each.what for each in databases.check(divided).differences} == {"missing"}
    assert databases.rebuild(divided) > 0
    assert databases.check(divided).is_whole
    calendar.parts[0].calendar.add_resource(Resource("stray"))
    faults = list(map(str, databases.check(divided).faults))
    assert any("the directory lacks resource 'stray'" in each for each in faults)
    with pytest.raises(AssertionError, match="the directory lacks resource 'stray'"):
        calendar.check()
    calendar.parts[0].calendar.remove_resource("stray")
    here = next(number for number in range(4) if number != partition_of("stray", 4))
    calendar.parts[here].calendar.add_resource(Resource("stray"))
    faults = list(map(str, databases.check(divided).faults))
    assert any(f"'stray' is in partition {here}, and belongs into another one" in each for each in faults)
    with pytest.raises(AssertionError, match=f"'stray' is in partition {here}"):
        calendar.check()
    calendar.parts[here].calendar.remove_resource("stray")


def test_a_partition_that_is_gone_is_named(divided: str, tmp_path: Path, admin: Any) -> None:
    """Where the partitions are read at one instant: for their present state, and for a copy."""
    databases.init(divided)
    gone = f"{divided.partition('calendar=')[2].partition('&')[0]}/2"
    admin.execute("DELETE FROM bookcore.change WHERE calendar = %s", (gone,))
    admin.execute("DELETE FROM bookcore.checkpoint WHERE calendar = %s", (gone,))
    admin.execute("DELETE FROM bookcore.calendar WHERE name = %s", (gone,))
    calls: list[Callable[[], Any]] = [
        lambda: Calendar.open(divided, as_of="now"), lambda: copy_calendar(divided, f"{tmp_path}/copy.bks"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(JournalError, match=f"there is no calendar '{gone}' in it"):
            call()
