"""Write the files of a version anew, for `tests/persist/test_old_files.py`, which every later version has to pass.

    PYTHONPATH=. python tests/persist/data/write_files.py tests/persist/data/NAME.zip

It is run in a checkout of that version, and writes a snapshot, and a journal where that version has them, for each family of
keys; beside them what the calendar in it answers. An archive of a version that was released is not written again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bookcore import BookingEvent, Calendar, Resource
from bookcore.hours import Hours
from bookcore.persist.registry import register_key_codec
from bookcore.testing.families import Family, OnlyLess, families

LATE = 1000
"""The rank of an instant by which all deadlines have passed."""


class Flat(Resource):
    """A resource of a program's own."""

    def __init__(self, id: Any, rooms: int, **options: Any) -> None:
        super().__init__(id, **options)
        self.rooms = rooms


class Stay(BookingEvent):
    """A booking of a program's own."""


class Port:
    """An id that is no plain value."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Port) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)

    def __lt__(self, other: Port) -> bool:
        return self.number < other.number

    def __repr__(self) -> str:
        return f"Port({self.number})"


def register() -> None:
    """Say how objects of classes of a program's own are written."""
    register_key_codec(OnlyLess, "bookcore.testing.OnlyLess", lambda key: key.rank, OnlyLess)
    register_key_codec(Port, "Port", lambda port: port.number, Port)


def live(calendar: Calendar, keys: Family) -> None:
    """Fill a calendar by the calls that version 0.1.0 has."""

    def key(rank: int) -> Any:
        return keys.key(rank, rank)

    buffer = keys.length(1) if keys.length is not None else None
    calendar.add_resource(Resource("room", after=buffer))
    calendar.add_resource(Flat(7, 3, capacity=4))
    calendar.add_resource(Flat(("tuple", 1), 2))
    calendar.add_resource(Resource(Port(5), capacity=2, before=buffer))
    calendar.book("room", key(2), key(4))
    calendar.book(7, key(2), key(4), id="named", quantity=2, guest="Ada", tags=["a", "b"])
    calendar.add_booking(Stay(Port(5), key(1), key(9), guest="Bob"))
    calendar.book(Port(5), None, key(0), id=Port(3))
    calendar.load([BookingEvent(("tuple", 1), key(at), key(at + 1)) for at in range(10, 60, 2)])
    calendar.hold(7, key(10), key(12), id="hold", until=key(60))
    calendar.hold(7, key(10), key(12), id="endless")
    calendar.confirm(calendar.hold("room", key(20), key(22), id="confirmed", until=key(30)))
    calendar.move("named", start=key(5), end=key(6))
    calendar.remove_booking(calendar.book("room", key(90), key(91), id="gone"))
    calendar.tag(7, "sea", 3, ("x", None))
    calendar.tag("room", "sea")
    calendar.close(7, key(11), key(15), "painting")
    calendar.close("room", key(40), None)
    with calendar.transaction():
        calendar.book("room", key(30), key(31))
        calendar.tag(Port(5), "port")
    if isinstance(key(0), datetime):
        zone = None if key(0).tzinfo is None else "Europe/Berlin"
        calendar.set_hours([7], Hours({"mon-fri": "09:00-17:00", "sun": "12:00-24:00"}, zone=zone))


def told(value: Any) -> Any:
    """Return a key or an id as a text that says everything about it."""
    if value is None or type(value) in (int, str):
        return value
    if isinstance(value, OnlyLess | Port | tuple):
        return repr(value)
    zone = getattr(value, "tzinfo", None)
    rest = f" {zone} fold {value.fold}" if zone is not None else ""
    return f"{type(value).__module__}.{type(value).__qualname__} {value}{rest}"


def answers(calendar: Calendar, keys: Family) -> Any:
    """Return what a calendar answers, as JSON has it."""
    windows = [(None, None), *((keys.key(at), keys.key(at + 3)) for at in range(-2, 70, 3)), (keys.key(400), None)]
    resources = list(calendar.resources)
    found = {
        "bounds": calendar.bounds,
        "resources": [
            [type(one).__name__, told(one.id), *(getattr(one, name, None) for name in ("rooms", "capacity"))]
            for one in resources
        ],
        "bookings": [
            [type(one).__name__, told(one.id), told(one.resource.id), told(one.start), told(one.end), one.quantity,
             str(one.status), repr(dict(one.fields))]
            for one in calendar.bookings()
        ],
        "closures": [
            [one.id, told(one.resource.id), told(one.start), told(one.end), one.reason,
             [told(each.id) for each in one.overlapping]]
            for one in calendar.closures()
        ],
        "tagged": [[told(id) for id in calendar.tagged(label).ids()] for label in ("sea", 3, ("x", None), "port", "sauna")],
        "free": [
            [[told(id) for id in calendar.find_available(*window, quantity=units).ids()] for units in (1, 2)]
            for window in windows
        ],
    }  # fmt: skip
    return json.loads(json.dumps(found))


def write_journals(keys: Family, folder: Path) -> dict[str, Any]:
    """Write a journal with every kind of change, and half of it in a snapshot; return what its calendar answers."""
    from bookcore.testing.every_change import TYPES, Clock, every_change, register_boats

    register_boats()
    clock = Clock(keys.key(0))
    with Calendar.open(folder, types=TYPES, clock=clock) as calendar:
        steps = list(every_change(clock, lambda rank: keys.key(rank, rank)))
        for number, (_, change) in enumerate(steps):
            change(calendar)
            if number == len(steps) // 2:
                calendar.checkpoint()
        return {"position": calendar.position, "answers": answers(calendar, keys)}


def write(keys: Family, folder: Path) -> dict[str, Any]:
    """Write what a version can write for one family; return what is to be answered."""
    now = [keys.key(0)]
    calendar = Calendar(bounds="[]" if keys.name == "date" else "[)", clock=lambda: now[0])
    live(calendar, keys)
    calendar.snapshot(folder / "snapshot.bks")
    found = {"snapshot": answers(calendar, keys)}
    now[0] = keys.key(LATE)
    found["snapshot, later"] = answers(calendar, keys)
    if hasattr(Calendar, "open"):
        found["journal"] = write_journals(keys, folder / "journal")
    return found


def files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder, in order of their paths, but for the one that says who has the directory open."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "LOCK")


def main(target: Path, chosen: Callable[[], list[Family]] = families) -> None:
    """Write the archive."""
    register()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive, tempfile.TemporaryDirectory() as work:
        for keys in chosen():
            folder = Path(work) / str(keys)
            folder.mkdir()
            found = write(keys, folder)
            (folder / "answers.json").write_text(json.dumps(found, indent=1))
            for path in files(folder):
                facts = zipfile.ZipInfo(path.relative_to(work).as_posix(), (2026, 1, 1, 0, 0, 0))
                archive.writestr(facts, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
