"""Several processes on one journal: races, killed writers, forks."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from bookcore import Calendar, Resource
from bookcore.testing import Call, Verdict, check_history
from bookcore.testing.parallel import line_of, started, tell

ROUNDS = settings().max_examples // 4  # 10, or 500 if asked for many examples
PROCESSES = 8
CALLS = settings().max_examples * 25 // 4  # of each process: 250, or 12,500 if asked for many examples

BEGIN = """
import os, sys
from bookcore import BookcoreError, Calendar, ConflictError, Resource
calendar = Calendar.open(sys.argv[1], timeout=60, sync="never")
print("ready", flush=True)
"""

RACE = BEGIN + """
for line in sys.stdin:  # the number of a round
    at = int(line)
    try:
        print("won", calendar.book("room", at, at + 1).id, flush=True)
    except ConflictError as error:
        print("refused", flush=True)
    except BaseException as error:
        print(type(error).__name__, error, flush=True)
"""

WRITER = BEGIN + """
number = int(sys.argv[2])
for at in range(10**9):
    id = f"{number}-{at}"
    with calendar.transaction():
        calendar.book("room", 10**6 * number + 2 * at, 10**6 * number + 2 * at + 1, id=id)
        calendar.book("room", 10**6 * number + 2 * at + 1, 10**6 * number + 2 * at + 2, id=id + "b")
    os.write(1, f"{id}\\n".encode())
"""

CALLER = """
import json, os, random, sys, threading
from time import perf_counter_ns
from bookcore import Calendar, ConflictError, Resource, UnknownBookingError
address, first, calls, threads = sys.argv[1], *map(int, sys.argv[2:])
calendar = Calendar.open(address, timeout=60, sync="never")
for room in range(3):
    if room not in calendar.resources.ids():
        calendar.add_resource(Resource(room))
print("ready", flush=True)
sys.stdin.readline()

def call(process):
    rng = random.Random(process)
    for number in range(calls):
        room, start = rng.randrange(3), rng.randrange(12)
        end, id = start + rng.randrange(1, 4), f"{process}-{number}"
        operation = rng.choice(["book", "book", "remove", "is_available"])
        there = [event.id for event in calendar.bookings(room)]
        if operation == "remove":
            id = rng.choice([*there, f"never booked in {room}"])
        begun = perf_counter_ns()
        try:
            if operation == "book":
                calendar.book(room, start, end, id=id)
                result = "done"
            elif operation == "remove":
                calendar.remove_booking(id)
                result = "done"
            else:
                with calendar.fresh():
                    result = calendar.is_available(room, start, end)
                id = None
        except (ConflictError, UnknownBookingError):
            result = "refused"
        told = json.dumps([process, begun, perf_counter_ns(), operation, room, id, start, end, 1, result])
        os.write(1, f"{told}\\n".encode())

working = [threading.Thread(target=call, args=(threads * first + number,)) for number in range(threads)]
for thread in working:
    thread.start()
"""

FORK = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of forks among threads
from bookcore import Calendar, Resource
from bookcore.persist.journal.errors import JournalClosedError
calendar = Calendar.open(sys.argv[1], sync="never")
calendar.add_resource(Resource("room"))

def child():
    signal.alarm(30)
    assert calendar.is_available("room", 1, 2) and calendar.position == 1
    with calendar.what_if():
        calendar.book("room", 1, 2)
    for call in (lambda: calendar.book("room", 1, 2), calendar.catch_up, calendar.lag, calendar.checkpoint,
                 calendar.barrier, lambda: calendar.wait_for(9), lambda: calendar.transaction().__enter__()):
        try:
            call()
        except JournalClosedError as error:
            assert "was forked" in str(error), error
        else:
            raise AssertionError(call)
    calendar.close()
    with Calendar.open(sys.argv[1], sync="never") as own:
        own.book("room", 5, 6)

def fork(work):
    pid = os.fork()
    if not pid:
        work()
        sys.exit(0)  # with all that an interpreter does at its end
    assert os.waitpid(pid, 0)[1] == 0

fork(child)
calendar.wait_for(2)
calendar.book("room", 1, 2)
with calendar.transaction():
    calendar.book("room", 7, 8)

    def in_block():
        signal.alarm(30)
        try:
            calendar.book("room", 8, 9)
            block_of_child.__exit__(None, None, None)
        except JournalClosedError:
            pass
        else:
            raise AssertionError

    block_of_child = calendar.transaction()
    block_of_child.__enter__()
    pid = os.fork()
    if not pid:
        signal.alarm(30)
        block_of_child.__exit__(None, None, None)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    block_of_child.__exit__(None, None, None)
    calendar.book("room", 9, 10)
with Calendar.open(sys.argv[1]) as again:
    assert again.digest() == calendar.digest() and len(again) == 4, len(again)
calendar.close()
print("fine")
"""


def test_a_slot_for_which_processes_race_has_one_winner(address: str) -> None:
    """Eight processes that ask at once: one gets it, all others are refused, and no other error comes."""
    with ExitStack() as stack, Calendar.open(address, sync="never") as calendar:
        calendar.add_resource(Resource("room"))
        racers = [stack.enter_context(started(RACE, address)) for _ in range(PROCESSES)]
        assert [line_of(racer) for racer in racers] == ["ready"] * PROCESSES
        for at in range(ROUNDS):
            for racer in racers:
                tell(racer, at)
            told = [line_of(racer) for racer in racers]
            assert sorted(told) == ["refused"] * (PROCESSES - 1) + [f"won {at + 1}"]
        calendar.wait_for(ROUNDS + 1)
        assert len(calendar) == ROUNDS


def judged(addresses: list[str], threads: int = 1) -> Verdict:
    """Let a process for each address call at the same time, in so many threads, and judge what all of them were told."""
    with ExitStack() as stack:
        callers = [
            stack.enter_context(started(CALLER, address, number, CALLS // threads, threads))
            for number, address in enumerate(addresses)
        ]
        assert [line_of(caller) for caller in callers] == ["ready"] * len(addresses)
        for caller in callers:
            tell(caller, "go")
        with ThreadPoolExecutor(len(callers)) as pool:  # each of them waits if nobody reads what it prints
            told = list(pool.map(lambda caller: caller.communicate()[0].splitlines(), callers))
    return check_history(Call(*json.loads(line)) for lines in told for line in lines)


def test_one_order_explains_what_all_processes_were_told(address: str) -> None:
    """Bookings, removals and fresh questions of eight processes, without a moment's rest."""
    with Calendar.open(address, sync="never") as calendar:
        for room in range(3):
            calendar.add_resource(Resource(room))
    verdict = judged([address] * PROCESSES)
    assert verdict, str(verdict)
    assert verdict.calls == PROCESSES * CALLS


def test_one_order_explains_what_threads_were_told_that_share_commits(address: str) -> None:
    """Two processes of five threads each."""
    with Calendar.open(address, sync="never") as calendar:
        for room in range(3):
            calendar.add_resource(Resource(room))
    verdict = judged([address] * 2, threads=5)
    assert verdict, str(verdict)
    assert verdict.calls == 2 * 5 * (CALLS // 5)


def test_no_order_explains_processes_that_share_nothing(tmp_path: Path) -> None:
    """So the test above can fail."""
    verdict = judged([f"sqlite:///{tmp_path}/{number}.db" for number in range(2)])
    assert not verdict
    assert "not linearizable" in str(verdict)


def test_a_killed_writer_loses_nothing_that_it_was_told(address: str) -> None:
    """Two writers, each killed somewhere in the midst of its work, again and again: a transaction is there as a whole."""
    acknowledged: set[str] = set()
    with Calendar.open(address, sync="never") as calendar:
        calendar.add_resource(Resource("room"))
        for number in range(1, 1 + max(3, ROUNDS // 2)):
            with started(WRITER, address, 2 * number) as one, started(WRITER, address, 2 * number + 1) as other:
                assert (line_of(one), line_of(other)) == ("ready", "ready")
                for process in (one, other):
                    acknowledged |= {line_of(process) for _ in range(5 + number % 4)}
                one.kill()  # sends SIGKILL
                acknowledged |= {line_of(other) for _ in range(3)}
                other.kill()
                for process in (one, other):
                    assert process.stdout is not None
                    acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
            calendar.book("room", -number - 1, -number)
            there = {event.id for event in calendar.bookings() if isinstance(event.id, str)}
            assert acknowledged <= there
            assert {id for id in there if not id.endswith("b")} == {id[:-1] for id in there if id.endswith("b")}
        digest = calendar.digest()
    with Calendar.open(address) as again:
        assert again.digest() == digest
        again.check()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_answers_and_has_to_open_the_calendar_anew(address: str) -> None:
    """Its parent goes on, also from the midst of a transaction."""
    with started(FORK, address) as process:
        assert line_of(process) == "fine"
        assert process.wait(60) == 0


def test_processes_that_make_the_file_at_once_make_one(address: str) -> None:
    """Whoever comes first makes the tables."""
    program = BEGIN + "calendar.add_resource(Resource(os.getpid())); print(calendar.position, flush=True)"
    with ExitStack() as stack:
        makers = [stack.enter_context(started(program, address)) for _ in range(5)]
        assert [line_of(maker) for maker in makers] == ["ready"] * 5
        assert sorted(line_of(maker) for maker in makers) == ["1", "2", "3", "4", "5"]
    with Calendar.open(address) as calendar:
        assert len(calendar.resources) == 5
