"""Several processes on one calendar in partitions: races, transactions in opposite orders, killed writers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings

from bookcore import Calendar, Resource
from bookcore.persist.shared.partitioned.routing import partition_of
from bookcore.testing.parallel import line_of, started, tell

ROUNDS = settings().max_examples // 4
PROCESSES = 4
EVERY = 1 if settings().max_examples > 1000 else 5
"""Which of the places are tried at which a writer is killed: all, or some that lie apart."""

BEGIN = """
import os, signal, sys
from bookcore import BookcoreError, Calendar, ConflictError, DuplicateBookingError, Resource
address, number = sys.argv[1], int(sys.argv[2])
calendar = Calendar.open(address, timeout=60, sync="never")
print("ready", flush=True)
"""
RACE = BEGIN + """
for line in sys.stdin:  # the number of a round
    at = int(line)
    try:
        if at % 2:
            calendar.book("room 0", at, at + 1)
        else:  # an id, in as many partitions as there are processes
            calendar.book(f"room {number}", at, at + 1, id=f"id {at}")
        print("won", flush=True)
    except (ConflictError, DuplicateBookingError):
        print("refused", flush=True)
    except BaseException as error:
        print(type(error).__name__, error, flush=True)
"""
OPPOSITE = BEGIN + """
rooms = [f"room {at}" for at in range(4)]
if number % 2:
    rooms.reverse()
sys.stdin.readline()
try:
    for at in range(int(sys.argv[3])):
        some = rooms[at % 3 :]
        with calendar.transaction(*some):
            for place, room in enumerate(some):
                start = 100 * at + 10 * number + place
                calendar.book(room, start, start + 1, id=f"{number} {at} {room}")
        if at % 4 == 0:
            with calendar.transaction():
                calendar.add_resource(Resource((number, at)))
    print("done", flush=True)
except BaseException as error:
    print(type(error).__name__, error, flush=True)
"""
FORGE = """
import os, signal, sys
import psycopg
from bookcore import Calendar
plain = psycopg.Connection.execute
left, way = 0, ""

def execute(connection, query, values=None, **options):
    global left
    left -= 1
    if not left and way == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if not left and way == "amidst":
        connection.pgconn.send_query(psycopg.ClientCursor(connection).mogrify(query, values).encode())
        connection.pgconn.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    result = plain(connection, query, values, **options)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

def live(number):
    global left
    calendar = Calendar.open(sys.argv[1], follow=False, timeout=60)
    psycopg.Connection.execute = execute
    for at in range(2):
        with calendar.transaction("room 0", "room 1", "room 2"):
            for room in range(3):
                start = 10 * number + at
                calendar.book(f"room {room}", start, start + 1, id=f"{number} {at} {room}")
        os.write(1, f"told {number} {at}\\n".encode())
    os.write(1, f"statements {-left}\\n".encode())
    os._exit(0)

for line in sys.stdin:
    number, left, way = line.split()
    left = int(left)
    pid = os.fork()
    if not pid:
        live(int(number))
    status = os.waitpid(pid, 0)[1]
    os.write(1, f"end {os.waitstatus_to_exitcode(status)}\\n".encode())
"""


@pytest.fixture
def rooms(divided: str) -> Iterator[Any]:
    """Return a calendar with four rooms in four partitions; they are called ``room 0`` to ``room 3``."""
    with Calendar.open(divided, sync="never") as calendar:
        for number in range(4):
            calendar.add_resource(Resource(f"room {number}"))
        yield calendar


def processes(stack: Any, program: str, address: str, *arguments: object) -> list[Any]:
    """Start the processes, all of which have opened the calendar when this returns."""
    found = [stack.enter_context(started(program, address, number, *arguments)) for number in range(PROCESSES)]
    assert [line_of(each) for each in found] == ["ready"] * PROCESSES
    return found


def test_of_processes_that_race_for_a_slot_or_an_id_one_wins(rooms: Any, divided: str) -> None:
    """The slot is in one partition; the id is asked for in each partition, and the database gives it once."""
    assert len({partition_of(f"room {number}", 4) for number in range(PROCESSES)}) > 2
    with ExitStack() as stack:
        racers = processes(stack, RACE, divided)
        for at in range(2 * ROUNDS):
            for racer in racers:
                tell(racer, at)
            assert sorted(map(line_of, racers)) == ["refused"] * (PROCESSES - 1) + ["won"], at
    rooms.catch_up()
    assert len(rooms) == 2 * ROUNDS
    rooms.check()


def test_transactions_over_partitions_in_opposite_orders_wait_and_never_deadlock(rooms: Any, divided: str) -> None:
    """Heads are locked in ascending order, and ids too, whatever the order of the calls."""
    with ExitStack() as stack:
        writers = processes(stack, OPPOSITE, divided, 2 * ROUNDS)
        for writer in writers:
            tell(writer, "go")
        assert list(map(line_of, writers)) == ["done"] * PROCESSES
    rooms.catch_up()
    assert len(rooms) == PROCESSES * sum(4 - at % 3 for at in range(2 * ROUNDS))
    rooms.check()


def test_a_writer_killed_at_any_statement_leaves_a_transaction_whole_or_not_at_all(rooms: Any, divided: str) -> None:
    """A transaction of three rooms in several partitions is one commit of the database."""
    stood = 0
    with started(FORGE, divided) as forge:

        def lives(number: int, statements: int, way: str) -> dict[str, list[str]]:
            tell(forge, f"{number} {statements} {way}")
            told: dict[str, list[str]] = {"told": [], "statements": [], "end": []}
            while not told["end"]:
                word, _, rest = line_of(forge).partition(" ")
                told[word].append(rest)
            return told

        whole = lives(0, 0, "never")
        assert whole["end"] == ["0"]
        most = int(whole["statements"][0])
        places = [(most - back, way) for back in range(most) for way in ("after", "amidst", "before")][::EVERY]
        for number, (statement, way) in enumerate(places, 1):
            told = lives(number, statement, way)
            if told["end"] != ["-9"]:  # it had fewer statements
                continue
            with rooms.fresh():
                there = [event.id for event in rooms.bookings() if event.id.startswith(f"{number} ")]
            attempts = {id.rpartition(" ")[0] for id in there}
            assert len(there) == 3 * len(attempts), (statement, way, there)
            assert attempts.issuperset(told["told"])
            stood += len(attempts) - len(told["told"])
            with rooms.transaction("room 0", "room 1"):  # nobody waits for the one who died
                pass
    assert stood  # some were committed, and nobody was told
    rooms.check()
