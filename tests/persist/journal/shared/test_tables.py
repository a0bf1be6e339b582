"""The tables of PostgreSQL beside the records: they say what the calendar says, and their referee refuses what overlaps."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings

from bookcore import BookcoreError, BookingEvent, Calendar, ConflictError, Resource
from bookcore.persist.journal.errors import JournalError, MissingExtensionError, RefereeError
from bookcore.persist.shared import projection
from bookcore.persist.shared.recorder import SharedRecorder
from bookcore.testing.servers import PostgresServer

psycopg = pytest.importorskip("psycopg")

Open = Callable[..., Calendar]
Ask = Callable[..., list[Any]]
COLUMNS = "calendar, id, number, resource, class, quantity, held, exclusive, active"
AWARE = datetime(2026, 5, 1, 12, 0, 0, 123457, tzinfo=UTC)


@pytest.fixture
def address(postgres_server: PostgresServer, name: str) -> str:
    return f"{postgres_server.dsn()}&calendar={name.replace(' ', '%20')}"


@pytest.fixture
def ask(admin: Any, name: str) -> Ask:
    """Return a function that asks something of this calendar, whose name is the parameter *name*."""

    def rows(command: str, **values: Any) -> list[Any]:
        cursor = admin.execute(command, {"name": name, **values})
        return cursor.fetchall() if cursor.description else []

    return rows


def bookings(calendar: Calendar) -> list[Any]:
    """Return what the tables should say of all bookings: nothing here uses the code under test."""
    found = []
    for event in calendar.bookings():
        held = event.status.name == "HELD"
        found.append((str(event.id), id_of(calendar, event.resource), event.start, event.end, event.quantity, held))
    return sorted(found, key=str)


def id_of(calendar: Calendar, resource: Any) -> str:
    """Return the id under which a resource is registered."""
    return str(calendar._engine.state.record_of_resource(resource).id)


_RANGES = {"Decimal": "numbers", "int": "numbers", "datetime": "during_local", "zone": "during"}


def told(ask: Ask, family: str) -> list[Any]:
    """Return what the tables say of all active bookings."""
    column = _RANGES.get(family, "keys")
    rows = ask(
        f"SELECT id, resource, {column}, span, quantity, held FROM bookcore.booking "  # noqa: S608
        "WHERE calendar = %(name)s AND active"
    )
    found = []
    for id, resource, spans, span, quantity, held in rows:
        if column == "keys":
            start, end = (tuple(key) if isinstance(key, list) else key for key in span)
        else:
            start, end = spans.lower, spans.upper
        found.append((id, resource, start, end, int(quantity), held))
    return sorted(found, key=str)


@pytest.mark.parametrize("family", ["int", "Decimal", "str", "datetime", "zone", "tuple"])
def test_after_every_kind_of_change_the_tables_say_what_the_calendar_says(
    family: str, world: SimpleNamespace, opened: Open, ask: Ask
) -> None:
    """Bookings, holds, resources, capacities, labels, closures: after each step, in each family of keys."""
    key = world.families[family]
    clock = world.Clock(key(0))
    calendar = opened(clock=clock)
    for step in world.history(calendar, clock, key):
        calendar.barrier()
        assert told(ask, family) == bookings(calendar), step
        resources = ask("SELECT id, capacity FROM bookcore.resource WHERE calendar = %(name)s AND active ORDER BY position")
        registered = calendar._engine.state.registry.in_order()
        assert resources == [(str(each.id), each.capacity) for each in registered], step
        closures = ask("SELECT id, resource, reason FROM bookcore.closure WHERE calendar = %(name)s AND active ORDER BY id")
        assert closures == [(c.id, id_of(calendar, c.resource), c.reason) for c in calendar.closures()], step
    assert ask("SELECT labels FROM bookcore.resource WHERE calendar = %(name)s AND id = '7'") == [(["3", "sea"],)]
    fields = ask("SELECT class, fields FROM bookcore.booking WHERE calendar = %(name)s AND id = 'named'")
    assert fields == [("BookingEvent", {"guest": "Bea", "tags": ["a", "b"], "nights": 2})]
    flat = ask("SELECT class, fields->'rooms' FROM bookcore.resource WHERE calendar = %(name)s AND id = '7'")
    assert flat == [("Flat", 3)]


# -- keys and ids ----------------------------------------------------------------------------------

_KEYS: dict[str, tuple[str, list[Any]]] = {
    "aware": ("during", [AWARE, AWARE + timedelta(microseconds=1), datetime.max.replace(tzinfo=UTC)]),
    "naive": ("during_local", [datetime.min, AWARE.replace(tzinfo=None), datetime.max]),
    "date": ("dates", [date.min, date(2026, 5, 1), date.max]),
    "int": ("numbers", [-(1 << 200), -1, 0, 1 << 63, 1 << 64, 1 << 200]),
    "float": ("numbers", [float("-inf"), -1e300, -0.1, 5e-324, 0.1, 1e300, float("inf")]),
    "numbers": ("numbers", [Decimal("-1e90"), -1, Decimal("0.10"), Fraction(1, 8), 0.25, Decimal("1e90")]),
}


@pytest.mark.parametrize("family", _KEYS)
def test_keys_come_back_from_their_range_exactly(family: str, opened: Open, ask: Ask) -> None:
    """To the microsecond, beyond 64 bits, and with all digits of a float; unbounded is NULL and not infinity."""
    column, keys = _KEYS[family]
    calendar = opened()
    spans: list[tuple[Any, Any]] = [*pairwise(keys), (None, keys[0]), (keys[-1], None), (None, None)]
    for number, (start, end) in enumerate(spans):
        calendar.add_resource(Resource(number))
        calendar.book(number, start, end)
    lower, upper = f"lower({column})", f"upper({column})"
    if column != "numbers":  # psycopg gives no date after the year 9999, and none of these is
        lower, upper = f"{lower}::text", f"{upper}::text"
    rows = ask(
        f"SELECT {lower}, {upper}, lower_inf({column}), upper_inf({column}), lower_inc({column}), upper_inc({column}) "  # noqa: S608
        "FROM bookcore.booking WHERE calendar = %(name)s ORDER BY number"
    )
    assert len(rows) == len(spans)
    for (start, end), (low, high, no_start, no_end, *inclusive) in zip(spans, rows, strict=True):
        assert (no_start, no_end) == (start is None, end is None)
        assert (read(family, low), read(family, high)) == (start, end)
        assert inclusive == [start is not None, False]


def read(family: str, value: Any) -> Any:
    """Return the key that a bound of PostgreSQL stands for."""
    if value is None:
        return None
    if family == "date":
        return date.fromisoformat(value)
    if family in ("aware", "naive"):
        return datetime.fromisoformat(value)
    return float(value) if family == "float" else Fraction(value)


def test_keys_that_no_range_can_have_are_told_as_json(opened: Open, ask: Ask) -> None:
    """A third has no digits that end; a text of a thousand characters is too long for an index. Both are booked."""
    numbers = opened()
    numbers.add_resource(Resource("room"))
    numbers.book("room", Fraction(1, 3), 2)
    assert ask("SELECT numbers, keys, span FROM bookcore.booking WHERE calendar = %(name)s") == [(None, None, ["1/3", 2])]


def test_texts_and_tuples_are_in_order_as_bytes(opened: Open, ask: Ask) -> None:
    """A range of them overlaps as the span does; each resource has the span before and the span after."""
    calendar = opened()
    keys = sorted({"", "a", "a\0", "ab", "b", "\x7f", "é", "\uffff", "\U0001f600", "x" * 400})
    room = calendar.add_resource(Resource("room", capacity=2))
    for start, end in pairwise(keys):
        calendar.book(room, start, end)
    pairs = ask("""SELECT count(*) FROM bookcore.booking a, bookcore.booking b
                   WHERE a.calendar = %(name)s AND b.calendar = %(name)s AND a.number < b.number AND a.keys << b.keys""")
    number = len(keys) - 1
    assert pairs == [(number * (number - 1) // 2,)]
    calendar.book(room, "x" * 1000, "y")
    assert ask("SELECT keys FROM bookcore.booking WHERE calendar = %(name)s ORDER BY number DESC LIMIT 1") == [(None,)]


def test_inclusive_ends_are_inclusive_in_the_table(opened: Open, ask: Ask) -> None:
    """Whole days; of touching spans the referee says that they overlap, as the calendar does."""
    calendar = opened(bounds="[]")
    calendar.add_resource(Resource("car"))
    day = date(2026, 5, 1)
    calendar.book("car", day, day)
    calendar.book("car", day + timedelta(days=1), None)
    found = ask("SELECT dates::text FROM bookcore.booking WHERE calendar = %(name)s ORDER BY number")
    assert found == [("[2026-05-01,2026-05-02)",), ("[2026-05-02,)",)]
    numbers = ask("SELECT numrange(1, 2, '[]') && numrange(2, 3, '[]')")
    assert numbers == [(True,)]


def test_ids_of_all_kinds_are_different_texts(opened: Open, ask: Ask) -> None:
    """Also those that are alike, that no text of PostgreSQL can have, and that are too long for an index."""
    calendar = opened()
    ids = [4711, "4711", '"4711"', -1, "-1", "flat 7", (2, "b"), '[2,"b"]', "a\0b", "\ud800", '"\\ud800"', "x" * 9000,
           "x" * 9001, 1 << 20_000, 1.5, "1.5", date(2026, 5, 1), "2026-05-01", b"ab", frozenset({1, "1"}), "", "é" * 300,
           UUID(int=7), str(UUID(int=7))]  # fmt: skip
    for id in ids:
        calendar.add_resource(Resource(id))
        calendar.book(id, 1, 2, id=id, note={"why": id, 3: [id]})
    found = ask("""SELECT b.id FROM bookcore.booking b JOIN bookcore.resource r USING (calendar)
                   WHERE r.id = b.resource AND calendar = %(name)s AND b.id = r.id""")
    assert len({id for (id,) in found}) == len(ids)
    assert {"4711", '"4711"', '"\\"4711\\""', "flat 7", '[2,"b"]', "2026-05-01", ""} <= {id for (id,) in found}


# -- the referee -----------------------------------------------------------------------------------


def sizes(ask: Ask) -> list[Any]:
    return ask("""SELECT (SELECT count(*) FROM bookcore.change WHERE calendar = %(name)s),
                         (SELECT count(*) FROM bookcore.booking WHERE calendar = %(name)s AND active)""")


@pytest.mark.parametrize("family", ["int", "Decimal", "str", "datetime", "zone", "tuple"])
def test_a_build_that_books_what_is_taken_is_refused_by_the_database(
    family: str, world: SimpleNamespace, opened: Open, ask: Ask, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that does not read what others have booked says yes; nothing is changed, in memory and in the database."""
    key = world.families[family]
    one, broken = opened(), opened()
    one.add_resource(Resource("room"))
    broken.catch_up()

    apply = SharedRecorder.apply

    def skip(self: Any, news: Any, *, afresh: bool = False) -> None:
        if self is not broken._recorder:
            apply(self, news, afresh=afresh)
        elif news:
            self.place = news[-1].place

    monkeypatch.setattr(SharedRecorder, "apply", skip)
    one.book("room", key(3), key(6), id="first")
    before = sizes(ask)
    calls: list[Callable[[], Any]] = [
        lambda: broken.book("room", key(5), key(8), id="second"),
        lambda: broken.hold("room", None, key(4)),
        lambda: broken.book_all([("room", key(7), key(8)), ("room", key(4), key(5))]),
        lambda: broken.book("room", None, None),
    ]
    for call in calls:
        with pytest.raises(RefereeError, match="the change was not made") as refused:
            call()
        assert (refused.value.calendar, refused.value.resource) == (name, "room")
        assert str(refused.value.other)[0] == "["
        assert len(broken) == 0
        broken.check()
    assert sizes(ask) == before
    broken.book("room", key(6), key(8), id="second")
    with pytest.raises(RefereeError):
        broken.move("second", start=key(5), end=key(6))
    assert sizes(ask) == [(before[0][0] + 1, 2)]


def test_a_booking_that_has_the_id_of_another_one_is_refused_by_the_database(
    opened: Open, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not written over it: of two processes that do not read each other, both count from 1."""
    one, broken = opened(), opened()
    one.add_resource(Resource("room"))
    broken.catch_up()
    one.book("room", 3, 6)

    def skip(self: Any, news: Any, **_: Any) -> None:
        for self.place, *_ in news:
            pass

    monkeypatch.setattr(SharedRecorder, "apply", skip)
    with pytest.raises(RefereeError, match="booking '1' is active already"):
        broken.book("room", 8, 9)
    ask("""INSERT INTO bookcore.resource (calendar, id, class, capacity, labels, exclusive, active, position, place)
           VALUES (%(name)s, 'hall', 'x', 1, '{}', true, true, 9, 0)""")
    with pytest.raises(RefereeError, match="resource 'hall' is active already"):
        broken.add_resource(Resource("hall"))
    assert sizes(ask) == [(3, 1)]


def test_what_another_program_writes_into_the_table_is_refused_if_it_overlaps(opened: Open, ask: Ask) -> None:
    """And where it does not, the calendar is refused what overlaps that, by an error that says how to find the row."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.book("room", AWARE, AWARE + timedelta(hours=2))
    insert = f"""INSERT INTO bookcore.booking ({COLUMNS}, during)
                 VALUES (%(name)s, 'foreign', 0, 'room', 'x', 1, false, true, true, tstzrange(%(start)s, %(end)s))"""  # noqa: S608
    with pytest.raises(psycopg.errors.ExclusionViolation):
        ask(insert, start=AWARE + timedelta(hours=1), end=AWARE + timedelta(hours=3))
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        ask(insert.replace("'room'", "'nowhere'"), start=AWARE, end=AWARE + timedelta(hours=3))
    ask(insert, start=AWARE + timedelta(hours=4), end=AWARE + timedelta(hours=5))
    with pytest.raises(RefereeError, match="`bookcore db check`"):
        calendar.book("room", AWARE + timedelta(hours=3), AWARE + timedelta(hours=6))
    calendar.book("room", AWARE + timedelta(hours=2), AWARE + timedelta(hours=4))


def test_only_resources_that_take_one_at_a_time_are_refereed(opened: Open, ask: Ask) -> None:
    """A capacity that is set, and set back while bookings overlap, refuses nothing that the calendar takes."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 0, 10, id="a")
    exclusive = "SELECT exclusive FROM bookcore.booking WHERE calendar = %(name)s AND active ORDER BY number"
    assert ask(exclusive) == [(True,)]
    calendar.set_capacity("room", 2)
    calendar.book("room", 0, 10, id="b")
    assert ask(exclusive) == [(False,)] * 2
    calendar.set_capacity("room", 1)  # both stand
    for id in "ab":
        calendar.change(id, note=1)
    calendar.book("room", 20, 21)
    assert ask(exclusive) == [(False,)] * 3
    calendar.remove_booking("a")
    calendar.set_capacity("room", 2)
    calendar.set_capacity("room", 1)
    assert ask(exclusive) == [(True,)] * 2
    with pytest.raises(ConflictError):
        calendar.book("room", 4, 6)


def test_every_write_of_a_sound_build_is_taken(opened: Open, ask: Ask) -> None:
    """Bookings, moves and splits at random, hundreds of commits of two processes, and thousands in one."""
    draw, examples = random.Random("sound"), settings().max_examples
    one, other = opened(), opened()
    rooms = [one.add_resource(Resource(number, capacity=1 + number % 5 // 4)).id for number in range(25)]
    taken = 0
    for _ in range(examples * 8):
        calendar = draw.choice((one, other))
        room, start = draw.choice(rooms), draw.randrange(400)
        end = start + draw.randrange(1, 20)
        calendar.catch_up()
        ids = [event.id for event in calendar.bookings(room)]
        try:
            match draw.randrange(6):
                case 0 if ids:
                    calendar.move(draw.choice(ids), start=start, end=end, resource=draw.choice(rooms))
                case 1 if ids:
                    calendar.remove_booking(draw.choice(ids))
                case 2 if ids:
                    calendar.split(draw.choice(ids), start)
                case 3:
                    with calendar.transaction():
                        kept = calendar.book(room, start, end)
                        calendar.move(kept, start=start + 1, end=end + 1)
                        calendar.book(room, start, start + 1)
                case _:
                    calendar.book(room, start, end)
            taken += 1
        except RefereeError:
            raise
        except BookcoreError:
            pass
    asked = [(draw.choice(rooms), at, at + draw.randrange(1, 9)) for at in range(1000, 1000 + 100 * examples)]
    other.book_all(asked, on_conflict="skip")
    one.catch_up()
    found = ask("SELECT id, lower(numbers), upper(numbers) FROM bookcore.booking WHERE calendar = %(name)s AND active")
    assert {(int(id), start, end) for id, start, end in found} == {(e.id, e.start, e.end) for e in one.bookings()}
    assert taken > examples * 2


def test_the_statements_of_the_documentation_run(postgres: str) -> None:
    """The report counts what is booked in July, and the table refers to a booking."""
    page = Path(__file__).parents[4] / "docs" / "shared.md"
    report, table = page.read_text(encoding="utf-8").partition("```sql\n")[2].partition("```")[0].split("\n\n")
    settings, report = report.split(";\n", 1)
    with psycopg.connect(postgres, autocommit=True) as connection:
        where = "&".join(f"{key}={value}" for key, value in connection.info.get_parameters().items())
        with Calendar.open(f"postgresql:///?{where}&calendar=berlin") as calendar:
            for number in range(2):
                calendar.add_resource(Resource(number))
                calendar.book(number, AWARE, AWARE + timedelta(days=70 * number + 1), id=f"stay {number}")
        connection.execute(settings)
        assert sorted(connection.execute(report).fetchall()) == [("Resource", "0", 0), ("Resource", "1", 1)]
        connection.execute(table)
        connection.execute("INSERT INTO public.rating VALUES ('berlin', 'stay 1', 5)")


# -- a table of another program, large changes, what lacks -----------------------------------------


def test_a_row_of_another_table_refers_to_a_booking_whatever_becomes_of_it(opened: Open, admin: Any, name: str) -> None:
    """Moved to another resource, released, booked again under its id: nothing is deleted, so nothing refuses."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.add_resource(Resource("hall"))
    calendar.book("room", 1, 2, id="visit")
    admin.execute("""CREATE TABLE rating (calendar text, booking text, stars int,
                                          FOREIGN KEY (calendar, booking) REFERENCES bookcore.booking)""")
    try:
        admin.execute("INSERT INTO rating VALUES (%s, 'visit', 5)", (name,))
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            admin.execute("INSERT INTO rating VALUES (%s, 'nobody', 5)", (name,))
        ask = """SELECT b.resource, b.active, stars FROM rating JOIN bookcore.booking b
                 ON b.calendar = rating.calendar AND b.id = rating.booking"""
        calendar.move("visit", resource="hall")
        assert admin.execute(ask).fetchall() == [("hall", True, 5)]
        calendar.remove_booking("visit")
        calendar.remove_resource("hall")
        assert admin.execute(ask).fetchall() == [("hall", False, 5)]
        calendar.book("room", 7, 8, id="visit")
        assert admin.execute(ask).fetchall() == [("room", True, 5)]
    finally:
        admin.execute("DROP TABLE rating")


def test_a_change_of_many_bookings_is_written_as_a_whole_or_not_at_all(
    opened: Open, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than go to the server at once; if the last of them is refused, none is there."""
    monkeypatch.setattr(projection, "AT_ONCE", 100)
    monkeypatch.setattr(projection, "MOST", 10_000)
    calendar = opened()
    with calendar.transaction():
        for number in range(30):
            calendar.add_resource(Resource(number))
    ask(f"""INSERT INTO bookcore.booking ({COLUMNS}, numbers)
            VALUES (%(name)s, 'foreign', 0, '29', 'x', 1, false, true, true, '[999,1000)')""")  # noqa: S608
    asked = [(at % 30, at // 30, at // 30 + 1) for at in range(1500)]
    with pytest.raises(RefereeError):
        calendar.book_all([*asked, (29, 998, 1000)])
    assert (len(calendar), sizes(ask)) == (0, [(2, 1)])
    calendar.book_all(asked)
    assert sizes(ask) == [(3, 1501)]
    with calendar.transaction():
        for event in list(calendar.bookings()):
            calendar.remove_booking(event)
    assert sizes(ask) == [(4, 1)]


def test_rows_are_found_by_their_keys_also_by_plans_made_when_the_tables_were_empty(postgres: str, opened: Open) -> None:
    """A plan is kept; one that reads all rows of a calendar would be slow as soon as there are many."""
    opened()
    with psycopg.connect(opened()._recorder.journal._address, autocommit=True) as connection:
        connection.execute(projection.prepare("bookcore"))
        connection.execute("SET plan_cache_mode = force_generic_plan")
        looked_up = 0
        for (name,) in connection.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'bookcore_%'").fetchall():
            rows = """'[{"id": 1, "resource": "a", "capacity": 1, "labels": ["a"]}]'"""
            plan = [line for (line,) in connection.execute(f"EXPLAIN EXECUTE {name} ('none', {rows})").fetchall()]
            assert not [line for line in plan if "Seq Scan" in line], name
            keys = [line for line in plan if "Index Cond" in line]
            assert not [line for line in keys if "id = " not in line and "resource = " not in line], plan
            looked_up += len(keys)
        assert looked_up > 8


def test_a_calendar_without_tables_writes_none(address: str, ask: Ask) -> None:
    """As the first process said; a later one that says otherwise is refused."""
    Calendar.open(f"{address}-with-tables").close()  # so that the database has them
    with Calendar.open(f"{address}&tables=no") as calendar:
        calendar.add_resource(Resource("room"))
    with Calendar.open(address) as calendar:
        calendar.book("room", 1, 2)
    assert sizes(ask) == [(3, 0)]
    with pytest.raises(JournalError, match="has no tables: `bookcore db upgrade` adds them"):
        Calendar.open(f"{address}&tables=yes")
    with pytest.raises(JournalError, match="tables=maybe: it is tables=yes or tables=no"):
        Calendar.open(f"{address}&tables=maybe")


def test_an_extension_that_lacks_is_named_with_who_may_create_it(
    plain_user: tuple[str, str], postgres_server: PostgresServer
) -> None:
    """Nothing was made; without tables the calendar can be had, and with the extension the tables as well."""
    owner, mine = plain_user
    role = mine.partition("//")[2].partition("@")[0]
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA bookcore AUTHORIZATION {role}")
        with pytest.raises(MissingExtensionError, match="run CREATE EXTENSION btree_gist in it, or say") as refused:
            Calendar.open(mine)
        assert refused.value.extension == "btree_gist"
        assert connection.execute("SELECT to_regclass('bookcore.calendar')").fetchone() == (None,)
        with Calendar.open(f"{mine}&tables=no&calendar=without") as calendar:
            calendar.add_resource(Resource("room"))
        connection.execute("CREATE EXTENSION btree_gist")
        with Calendar.open(mine) as calendar:
            calendar.add_resource(Resource("room"))
        assert connection.execute("SELECT calendar FROM bookcore.resource").fetchall() == [("calendar",)]


def test_events_of_other_calendars_are_not_confused(opened: Open, address: str, ask: Ask) -> None:
    """Two calendars of one database have the same ids; each has its own rows."""
    with Calendar.open(f"{address}-other") as other:
        for calendar in (opened(), other):
            calendar.add_resource(Resource("room"))
            calendar.add_booking(BookingEvent("room", 1, 2))
        other.remove_booking(1)
    assert sizes(ask) == [(3, 1)]


def test_a_change_that_the_tables_do_not_know_is_an_error_of_the_program() -> None:
    """A new kind of change needs a case there."""
    with pytest.raises(TypeError, match="kind 99 is not known to the tables"):
        list(projection.groups_of([(1, [(99,)])], "[)"))
