"""A process that forks while other threads call a calendar: the child's copy answers, and takes commands.

The tests fork in processes of their own, which have threads.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

BEGIN = """
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of forks among threads
from bookcore import BookingEvent, Calendar, MemoryStore, Resource, TransactionError
from bookcore.stores.sorted import SortedStore
from bookcore.stores.tree import TreeStore

def numbers(store=MemoryStore):
    calendar = Calendar(store())
    for id in ("r", "s"):
        calendar.add_resource(Resource(id))
    calendar.add_resource(Resource("q", capacity=3))
    calendar.book("s", 0, 1, id="stay")
    return calendar

def in_child(work):
    "Fork, and return whether the child did its work; it is killed if it hangs."
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""

HELD = """
begun, over = threading.Event(), threading.Event()
told = []

def stop(*args):
    if threading.current_thread() is other and not begun.is_set():
        begun.set()
        over.wait(20)
    return args[0][0] if args and isinstance(args[0], list) else 0

class Key:
    def __init__(self, value):
        self.value = value
    def __lt__(self, than):
        if calendar._gate.mode == 2:  # in the midst of a change
            stop()
        return self.value < than.value

class Odd:
    id = property(lambda self: (stop(), "r")[1])

def generate():
    yield BookingEvent("r", 1, 2, id="x")
    stop()
    yield BookingEvent("r", 3, 4)

def block(way):
    with getattr(calendar, way)():
        calendar.book("r", 1, 2, id="x")
        stop()

def work():
    {act}

calendar = numbers({store})
other = threading.Thread(target=work, daemon=True)
other.start()
assert begun.wait(20)

def ask():
    kind = Key if {keys} else int
    assert calendar.get("stay").owns_lock
    assert ("x" in calendar) is {kept}
    calendar.add_resource(Resource("new"))
    calendar.subscribe(told.append)
    with calendar.transaction():
        calendar.book("new", kind(1), kind(2))
        calendar.book("r", kind(1001), kind(1002))
    assert len(told) >= 2
    calendar.is_available("r", kind(1), kind(2)), calendar.resources.ids()
    calendar.check()

code = in_child(ask)
over.set()
other.join(20)
sys.exit(code or other.is_alive() or calendar.check())
"""

ACTS = {
    "strategy": ("calendar.book_any(calendar.resources, 1, 2, id='x', strategy=stop)", False),
    "key function": ("calendar.create_index('i', key=lambda resource: stop())", False),
    "id": ("calendar.book(Odd(), 1, 2, id='x')", False),
    "id on the short way": ("calendar.book(Odd(), 1, 2)", False),
    "question": ("calendar.is_available(Odd(), 1, 2)", False),
    "load": ("calendar.load(generate())", False),
    "transaction": ("block('transaction')", False),
    "what_if": ("block('what_if')", False),
    "subscriber": ("calendar.subscribe(stop); calendar.book('r', 1, 2, id='x')", True),
}


def run(code: str) -> None:
    """Run a program that ends itself."""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("act", ACTS)
def test_the_child_goes_on_without_the_call_of_another_thread(act: str) -> None:
    """Whatever it was in the midst of: a command is undone, a block too; what was done stays."""
    call, kept = ACTS[act]
    run(BEGIN + HELD.format(act=call, kept=kept, store="MemoryStore", keys=False))


@pytest.mark.parametrize("store", ["MemoryStore", "SortedStore", "TreeStore"])
@pytest.mark.parametrize(
    "call", ["book('q', Key(5), Key(9), id='x')", "remove_booking('a')", "move('a', start=Key(7), end=Key(8))"]
)
def test_the_child_goes_on_without_a_change_in_the_midst_of_its_comparisons(call: str, store: str) -> None:
    """The change is undone before the first call."""
    act = f"calendar.{call}"
    code = HELD.format(act=act, kept=False, store=store, keys=True).replace(
        "other = threading", "other = None\ncalendar.remove_booking('stay')\ncalendar.book('s', Key(0), Key(1), id='stay')\n"
        "for at in range(0, 90, 3): calendar.book('q', Key(at), Key(at + 2), id='a' if at == 30 else None)\n"
        "other = threading", 1,
    )  # fmt: skip
    run(BEGIN + code)


LOAD = """
sys.setswitchinterval(1e-6)
calendar = numbers({store})
follower = numbers({store})
calendar.subscribe(follower.apply)
stop = threading.Event()

def work(number):
    at = 0
    while not stop.is_set():
        at += 10
        with calendar.transaction():
            one = calendar.book("r", at * 4 + number, at * 4 + number + 1)
            two = calendar.book("q", at, at + 5)
        calendar.remove_booking(one)
        calendar.remove_booking(two)
        first = 10 ** 6 * (number + 1) + at
        calendar.load([BookingEvent("s", first + n, first + n + 1) for n in range(9)])
        calendar.find_available(at, at + 1).ids()
        for event in list(calendar.bookings("s", first, first + 9)):
            calendar.remove_booking(event)
        try:
            with calendar.transaction():
                calendar.tag("s", at)
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass

threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(3)]
for thread in threads:
    thread.start()

def ask():
    calendar.book("s", 10 ** 9, 10 ** 9 + 1)
    calendar.is_available("q", 1, 2), calendar.resources.ids()
    assert not calendar.tagged(10)
    with calendar.transaction():
        calendar.book("s", 10 ** 9 + 5, 10 ** 9 + 6)
    calendar.add_resource(Resource("new"))
    calendar.remove_booking("stay")
    calendar.check()
    follower.check()
    os._exit(0)

codes = [in_child(ask) for _ in range({count})]
stop.set()
for thread in threads:
    thread.join(20)
calendar.check()
assert calendar.digest() == follower.digest()
sys.exit(any(codes))
"""


@pytest.mark.parametrize("store", ["MemoryStore", "SortedStore", "TreeStore"])
def test_children_of_a_process_under_load_go_on(store: str) -> None:
    """Forked wherever its threads happen to be, again and again; the parent does not notice."""
    run(BEGIN + LOAD.format(store=store, count=20))


OWN = """
calendar = numbers()
with calendar.transaction():
    calendar.book("r", 1, 2, id="x")
    def ask():
        calendar.book("r", 3, 4)
        assert len(calendar) == 3
    assert in_child(ask) == 0
    assert len(calendar) == 2
codes = []
calendar.subscribe(lambda change: codes.append(in_child(lambda: calendar.book("r", 5, 6))))
calendar.book("r", 7, 8)
def choose(candidates):
    codes.append(in_child(lambda: calendar.is_available("r", 5, 6)))
    return candidates[0]
calendar.book_any(calendar.resources, 20, 21, strategy=choose)
calendar.check()
sys.exit(any(codes))
"""


def test_a_thread_that_forks_in_a_call_or_block_of_its_own_goes_on_in_both_processes() -> None:
    """The child has that thread, and so its block too."""
    run(BEGIN + OWN)
