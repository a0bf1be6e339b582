"""Every question and single write, all contestants in turn: issue a race at one size. See ``world.operation``."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.data import SCALES, make
from benchmarks.peers import PEERS, MissingError
from benchmarks.sections.composed import Composed
from benchmarks.sections.queries import churn, refusal
from benchmarks.world import OPERATIONS, World, operation

if TYPE_CHECKING:
    from benchmarks.timing import Contestant

CONTESTANTS = ("bookcore", "bookcore, tree store", *PEERS)


def drive(benchmark: Any, contestant: Contestant) -> None:
    """Hand a contestant to pytest-benchmark, so that its figures are of one call.

    Questions are asked many times a round; what must be undone is done once a round, and undone between, untimed.
    """
    nanoseconds, _ = contestant.sample(1)
    size = max(1, min(500, int(4e6 / max(nanoseconds, 1.0))))
    op, made = contestant.op, list[Any]()

    def undo() -> None:
        if contestant.undo is not None and made:
            contestant.undo([made.pop()])

    def ready() -> tuple[tuple[Any, ...], dict[str, Any]]:
        undo()
        return contestant.batch(1)[0], {}

    if contestant.undo is None:
        questions = cycle(contestant.args)
        rounds = max(1, min(50, int(3e9 / max(nanoseconds * size, 1.0))))
        if benchmark.disabled:
            size, rounds = 1, 1
        benchmark.pedantic(lambda: op(*next(questions)), rounds=rounds, iterations=size)
    else:
        rounds = 1 if benchmark.disabled else max(1, min(1_000, int(3e9 / max(nanoseconds, 1.0))))
        benchmark.pedantic(lambda *args: made.append(op(*args)), setup=ready, rounds=rounds)
        undo()
    if contestant.close is not None:
        contestant.close()


@pytest.mark.parametrize("contestant", CONTESTANTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(fast: Any, world: World, name: str, contestant: str) -> None:
    """One contestant at one operation on the plain year."""
    fast.group = f"{name}, {world.data.name}"
    try:
        one = world[contestant]
    except MissingError as why:
        pytest.skip(str(why))
    if name.partition(",")[0] not in one.does:
        pytest.skip(f"{contestant} does not do {name}")
    drive(fast, operation(name, one, world.data))


def test_remove_add_count(fast: Any, world: World) -> None:
    """A booking out and in again, then a count: no write leaves its work to the next reader."""
    drive(fast, churn(world["bookcore"], world))


def test_refused_booking(fast: Any, world: World) -> None:
    """Booking what is taken."""
    drive(fast, refusal(world["bookcore"], world))


@pytest.fixture(scope="module")
def composed(scale: str) -> Composed:
    """Flats and cars with prices and tags."""
    n, m = SCALES[scale]
    bench = Composed(make(n, m, spare=False))
    bench.check()
    return bench


@pytest.mark.parametrize("how", ["count", "list", "first"])
@pytest.mark.parametrize("what", ["plain", "composed", "composed, float index"])
def test_composed_question(fast: Any, composed: Composed, what: str, how: str) -> None:
    """A type, a range, two tags and availability, beside availability alone."""
    fast.group = f"{how} of a composed question"
    drive(fast, composed.entry(what, how))
