"""The grants that docs/shared.md names are enough, and each of them is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bookcore import Calendar, Resource
from bookcore.errors import StoreError
from bookcore.persist.journal.errors import JournalError
from bookcore.testing.servers import PostgresServer, execute

PAGE = Path(__file__).parents[2] / "docs" / "shared.md"
_, _, AFTER = PAGE.read_text(encoding="utf-8").partition("### Privileges\n")
GRANTS = [line.partition(";")[0] for line in re.findall("^GRANT .*", AFTER, re.MULTILINE)]


@pytest.fixture
def roles(postgres_server: PostgresServer) -> Iterator[tuple[str, dict[str, str]]]:
    """Make a database with a calendar and two plain users; return the owner's address and the users' names."""
    from bookcore.persist.shared import databases

    owner = postgres_server.new_database()
    databases.init(f"{owner}&calendar=berlin")
    names = {name: f"{name}_{uuid4().hex}" for name in ("app", "report")}
    for name in names.values():
        execute(owner, f"CREATE ROLE {name} LOGIN")
    yield owner, names
    database = owner.partition("@/")[2].partition("?")[0]
    for name in names.values():
        execute(owner, f"DROP OWNED BY {name}")
        execute(owner, f"DROP ROLE {name}")
    postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")


def use(address: str) -> int:
    """Make changes of each kind, and checkpoints until the first ones are deleted; return the position."""
    with Calendar.open(address, create=False, keep=1, follow=False) as calendar:
        room = calendar.add_resource(Resource(len(calendar.resources)))
        stay = calendar.move(calendar.book(room, 9, 12), start=10, end=13)
        calendar.reopen(calendar.close(room, 20, 22))
        calendar.set_capacity(room, 3)
        calendar.tag(room, "sea")
        calendar.confirm(calendar.hold(room, 9, 12, until=None))
        calendar.checkpoint()
        calendar.remove_booking(stay)
        calendar.checkpoint()
        calendar.barrier()
        return calendar.position


def test_the_grants_on_the_page_are_enough_and_each_is_needed(roles: tuple[str, dict[str, str]]) -> None:
    """A program with all of them books; with one less it is refused. Who has the first two reads, and books nothing."""
    from bookcore.persist.shared import databases

    owner, names = roles
    mine, report = (f"{owner}&calendar=berlin".replace("//postgres@", f"//{name}@") for name in names.values())
    assert len(GRANTS) == 6
    for grant in GRANTS:
        with pytest.raises(StoreError, match="lacks a privilege"):
            use(mine)
        for name, role in names.items():
            grant = re.sub(rf"\b{name}\b", role, grant)
        execute(f"{owner}&options=-csearch_path%3Dbookcore", grant)
    assert use(mine) >= 9
    reader = Calendar.open(report, as_of="now")
    assert len(reader) >= 1
    with Calendar.open(report, read_only=True) as follower:
        position = use(mine)
        follower.wait_for(position)
    assert databases.check(report).is_whole
    with pytest.raises(StoreError, match="lacks a privilege"):
        use(report)
    with pytest.raises(StoreError, match="lacks a privilege"):
        Calendar.open(mine)
    with pytest.raises(StoreError, match="lacks a privilege"):
        databases.rebuild(mine)
    execute(owner, f"GRANT DELETE ON bookcore.resource, bookcore.booking, bookcore.closure TO {names['app']}")
    assert databases.rebuild(mine) == 0
    execute(owner, f"GRANT INSERT ON bookcore.calendar TO {names['app']}")
    Calendar.open(mine).close()
    Calendar.open(mine.replace("berlin", "paris")).close()


def test_who_had_the_grants_before_a_calendar_was_divided_opens_other_ones_as_before(
    roles: tuple[str, dict[str, str]],
) -> None:
    """That one is refused as divided, and opened as such by who has the privileges on ids that the page names."""
    from bookcore.persist.shared import databases

    owner, names = roles
    mine, report = (f"{owner}&calendar=berlin".replace("//postgres@", f"//{name}@") for name in names.values())
    as_owner = f"{owner}&options=-csearch_path%3Dbookcore"
    for grant in GRANTS:
        for name, role in names.items():
            grant = re.sub(rf"\b{name}\b", role, grant)
        execute(as_owner, grant)
    databases.init(f"{owner}&calendar=rome&partitions=2")
    assert use(mine) >= 9
    assert len(Calendar.open(report, as_of="now")) >= 1
    rome = mine.replace("berlin", "rome")
    with pytest.raises(JournalError, match="'rome' is divided into 2 partitions; say calendar=rome&partitions=2"):
        Calendar.open(rome, create=False)
    (needed,) = re.findall(r"`app`\s+needs `([A-Z, ]+)` on `booking_id`", AFTER)
    for privilege in needed.split(", "):
        with pytest.raises(StoreError, match="lacks a privilege"):
            book_under_an_id(rome)
        execute(as_owner, f"GRANT {privilege} ON booking_id TO {names['app']}")
    assert book_under_an_id(rome) == 1


def book_under_an_id(address: str) -> int:
    """Make a booking under an id in a calendar in partitions, and release another; return how many there are."""
    with Calendar.open(f"{address}&partitions=2", create=False, follow=False) as calendar:
        room = calendar.add_resource(Resource("room"), if_exists="return")
        calendar.book(room, 1, 2, id="a")
        calendar.book(room, 3, 4, id="b")
        calendar.remove_booking("a")
        return len(calendar)
