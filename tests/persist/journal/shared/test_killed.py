"""A writer is killed before, amidst or after any of its statements, the opening and a checkpoint included."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from bookcore import Calendar, Resource
from bookcore.testing.parallel import line_of, started, tell

POINTS = 67  # statements of a life
WAYS = ["before", "amidst", "after"]
EVERY = 1 if settings().max_examples > 1000 else 41
"""Which of the 201 places are tried: all, or 5 that lie far apart."""

FORGE = """
import os, signal, sqlite3, sys, threading
from itertools import count
from bookcore import Calendar
try:
    import psycopg
    from bookcore.persist.shared import postgres
except ImportError:
    psycopg = None

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Life:
    def __init__(self, statements, way):
        self.statements, self.way, self.begun = statements, way, count(1)

    def execute(self, plain, amidst, connection, *arguments):
        last = next(self.begun) == self.statements  # others begin statements before this one ends
        if last and self.way == "before":
            die()
        if last and self.way == "amidst":
            amidst(connection, *arguments)
        try:
            return plain(connection, *arguments)
        finally:  # also if the file is locked by another thread, whose checkpoint has a connection of its own
            if last:
                die()

def amidst_sqlite(connection, *_):
    connection.set_progress_handler(die, 7)

def amidst_postgres(connection, query, values=None):
    connection.pgconn.send_query(psycopg.ClientCursor(connection).mogrify(query, values).encode())
    connection.pgconn.flush()
    die()

def mortal(life):
    class Connection(sqlite3.Connection):
        def execute(self, *arguments):
            return life.execute(sqlite3.Connection.execute, amidst_sqlite, self, *arguments)

        def executemany(self, *arguments):
            return life.execute(sqlite3.Connection.executemany, amidst_sqlite, self, *arguments)

    connect = sqlite3.connect
    sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Connection, **options)
    if psycopg:
        plain = psycopg.Connection.execute
        psycopg.Connection.execute = lambda *arguments: life.execute(plain, amidst_postgres, *arguments)

def live(address, round, threads):
    calendar = Calendar.open(address, follow=False, timeout=60)
    others = [threading.Thread(target=work, args=(calendar, round, thread)) for thread in range(1, threads)]
    for other in others:
        other.start()
    work(calendar, round, 0)

def work(calendar, round, thread):
    for number in count():
        id, at = f"{round}-{thread}-{number}", 1000 * round + 200 * thread + 2 * number
        os.write(1, f"try {id} {at}\\n".encode())
        if number % 2 == 0:
            calendar.book("room", at, at + 1, id=id)
        else:
            with calendar.transaction():
                calendar.book("room", at, at + 1, id=id)
                calendar.book("room", at + 1, at + 2, id=id + "b")
        os.write(1, f"ack {id} {at}\\n".encode())
        if number % 5 == 4:
            calendar.checkpoint()

for line in sys.stdin:
    round, statements, way, threads = line.split()
    pid = os.fork()
    if not pid:
        mortal(Life(int(statements), way))
        live(sys.argv[1], int(round), int(threads))
    status = os.waitpid(pid, 0)[1]
    os.write(1, f"end {os.waitstatus_to_exitcode(status)}\\n".encode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("threads", [1, 5])
def test_a_writer_killed_anywhere_loses_nothing_that_it_acknowledged(threads: int, address: str) -> None:
    """What it did not live to acknowledge is settled by the same call again: then it is there, once and as a whole.

    Of several threads, whose commands share commits, as of one.
    """
    ends: list[str] = []
    stood = unknown = 0
    with Calendar.open(address, follow=False, timeout=60) as calendar, started(FORGE, address) as forge:
        calendar.add_resource(Resource("room"))
        for number in range(0, POINTS * len(WAYS), EVERY):
            tell(forge, f"{number} {1 + number // len(WAYS)} {WAYS[number % len(WAYS)]} {threads}")
            told: dict[str, dict[str, int]] = {"try": {}, "ack": {}}
            while (words := line_of(forge).split()) and words[0] != "end":
                told[words[0]][words[1]] = int(words[2])
            ends.append(words[1])
            with calendar.fresh():
                there = {event.id for event in calendar.bookings()}
            assert there.issuperset(told["ack"]), number
            for id, at in told["try"].items() - told["ack"].items():
                unknown += 1
                stood += id in there
                assert (id + "b" in there) is (id in there and at % 4 == 2), (number, id)  # a transaction is whole
                assert calendar.book("room", at, at + 1, id=id, if_exists="return").id == id
                assert [event.id for event in calendar.bookings("room", at, at + 1)] == [id]
        with Calendar.open(address, follow=False) as newcomer:
            assert newcomer.digest() == calendar.digest()
            newcomer.check()
    assert set(ends) == {"-9"}, ends
    print(f"{len(ends)} writers killed; {unknown} calls without an answer, of which {stood} stood")  # noqa: T201
