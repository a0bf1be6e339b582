"""Blocks that are forgotten, ended wrongly or cut off: all of a block is kept, or nothing of it, and its end says so."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest

from bookcore import Calendar, ConflictError, RecursiveCallError, Resource, TransactionError
from bookcore.testing.cutting import cut_off


def numbers() -> Calendar:
    """Return a calendar with a room."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    return calendar


def starts(calendar: Calendar) -> list[int]:
    """Return where the bookings start."""
    return [event.start for event in calendar.bookings()]


def drop(calendar: Calendar) -> None:
    """Forget a block: its context manager is collected at once."""
    calendar.transaction().__enter__()
    calendar.book("r", 3, 4)


def drop_a_question(calendar: Calendar) -> None:
    """Forget a block of the other kind."""
    calendar.what_if().__enter__()
    calendar.book("r", 3, 4)


def drop_two(calendar: Calendar) -> None:
    """Forget a block within a block."""
    drop(calendar)
    calendar.transaction().__enter__()
    calendar.book("r", 6, 7)


def drop_in_a_circle(calendar: Calendar) -> None:
    """Forget a block whose context manager is collected later."""
    circle: list[Any] = [calendar.transaction()]
    circle.append(circle)
    circle[0].__enter__()
    calendar.book("r", 3, 4)


def drop_a_stack(calendar: Calendar) -> None:
    """Forget a stack of blocks."""
    stack = ExitStack()
    stack.enter_context(calendar.transaction())
    calendar.book("r", 3, 4)


def drop_after_a_good_one(calendar: Calendar) -> None:
    """Forget a block after one that has ended."""
    with calendar.transaction():
        calendar.book("r", 20, 21)
    drop(calendar)


FORGETTING = [drop, drop_a_question, drop_two, drop_in_a_circle, drop_a_stack, drop_after_a_good_one]


@pytest.mark.parametrize("collect", [False, True])
@pytest.mark.parametrize("forget", FORGETTING)
def test_a_block_in_which_one_was_forgotten_is_undone(forget: Callable[[Calendar], None], collect: bool) -> None:
    """Its end raises, whenever Python collects the forgotten one; later changes in its body are undone too."""
    calendar = numbers()
    with pytest.raises(TransactionError, match="before a block inside it"), calendar.transaction():
        calendar.book("r", 1, 2)
        forget(calendar)
        if collect:
            gc.collect()
        calendar.book("r", 8, 9)
        assert calendar.is_available("r", 1, 2) is False
    assert starts(calendar) == []
    gc.collect()
    calendar.book("r", 1, 2)
    assert starts(calendar) == [1]
    calendar.check()


@pytest.mark.parametrize("forget", FORGETTING)
def test_the_exception_of_a_body_is_not_replaced(forget: Callable[[Calendar], None]) -> None:
    """The block is undone, as the program expects of an exception."""
    calendar = numbers()
    with pytest.raises(ZeroDivisionError), calendar.transaction():
        calendar.book("r", 1, 2)
        forget(calendar)
        calendar.book("r", 8, 9)
        raise ZeroDivisionError
    assert starts(calendar) == []
    calendar.check()


def test_blocks_around_one_that_was_ended_wrongly_go_on() -> None:
    """Three deep: the middle one takes the inner one with it, and the outer one ends as if both had not been."""
    calendar = numbers()
    with calendar.transaction():
        calendar.book("r", 1, 2)
        middle, inner = calendar.transaction(), calendar.transaction()
        middle.__enter__()
        calendar.book("r", 3, 4)
        inner.__enter__()
        calendar.book("r", 5, 6)
        with pytest.raises(TransactionError, match="before a block inside it"):
            middle.__exit__(None, None, None)
        assert starts(calendar) == [1]
        calendar.book("r", 3, 4)  # in the inner one, which has not ended
        with pytest.raises(TransactionError, match="both were undone"):
            inner.__exit__(None, None, None)
        assert starts(calendar) == [1]
        calendar.book("r", 7, 8)
    assert starts(calendar) == [1, 7]
    calendar.check()


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("way", ["ended", "forgotten", "ended by another thread", "ended twice"])
def test_a_block_whose_outer_one_is_gone_is_undone(way: str, fails: bool) -> None:
    """Also what is changed in it afterwards; other threads wait for its end."""
    calendar = numbers()
    outer = [calendar.transaction()]
    outer[0].__enter__()
    calendar.book("r", 1, 2)
    seen: list[bool] = []

    def end() -> None:
        with suppress(TransactionError):
            outer[0].__exit__(None, None, None)

    with pytest.raises(ZeroDivisionError if fails else TransactionError), calendar.transaction():
        calendar.book("r", 3, 4)
        if way == "ended by another thread":
            thread = threading.Thread(target=end)
            thread.start()
            thread.join()
        elif way != "forgotten":
            end()
        if way == "ended twice":
            end()
        outer.clear()
        gc.collect()
        calendar.book("r", 5, 6)
        asking = threading.Thread(target=lambda: seen.append(calendar.is_available("r", 5, 6)), daemon=True)
        asking.start()
        if fails:
            raise ZeroDivisionError
    asking.join(10)
    assert seen == [True]
    assert starts(calendar) == []
    calendar.check()


def test_a_block_that_has_ended_can_be_ended_again_without_effect() -> None:
    """It raises, and leaves the blocks that are open alone."""
    calendar = numbers()
    ended = calendar.transaction()
    with ended:
        calendar.book("r", 1, 2)
    with calendar.transaction():
        calendar.book("r", 3, 4)
        inner = calendar.what_if()
        with inner:
            calendar.book("r", 9, 10)
        for block in (ended, inner, inner):
            with pytest.raises(TransactionError, match="ended already"):
                block.__exit__(None, None, None)
        calendar.book("r", 5, 6)
    assert starts(calendar) == [1, 3, 5]
    calendar.check()


def test_a_block_that_is_ended_in_the_midst_of_a_call_takes_the_one_around_it_along() -> None:
    """Its end is refused, and it will be undone."""
    calendar = numbers()
    inner = calendar.transaction()

    def choose(candidates: list[Any]) -> Any:
        with pytest.raises(RecursiveCallError, match="will be undone"):
            inner.__exit__(None, None, None)
        return candidates[0]

    with pytest.raises(TransactionError), calendar.transaction():
        inner.__enter__()
        calendar.book_any(calendar.resources, 1, 2, strategy=choose)
        calendar.book("r", 5, 6)
    assert starts(calendar) == []
    calendar.check()


def places(act: Callable[[], Any]) -> range:
    """Return at which places to cut a call off: thirty of them, or all."""
    count = cut_off(act, 1 << 60)
    return range(1, count + 1, 1 if os.environ.get("BOOKCORE_EXAMPLES") == "many" else max(count // 30, 1))


def several(calendar: Calendar) -> None:
    """Change several things by one call."""
    calendar.book_all([("r", 3, 4), ("r", 5, 6)])


def refused(calendar: Calendar) -> None:
    """Have a call change something and undo it."""
    with suppress(ConflictError):
        calendar.book_all([("r", 3, 4), ("r", 3, 4)])


def nested(calendar: Calendar) -> None:
    """Change something in a block that is kept."""
    with calendar.transaction():
        calendar.book("r", 3, 4)


def asked(calendar: Calendar) -> None:
    """Change something in a block that is undone."""
    with calendar.what_if():
        calendar.book("r", 3, 4)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # cut off as an object is discarded
@pytest.mark.parametrize("act", [several, refused, nested, asked, lambda c: c.book("r", 3, 4), lambda c: c.tag("r", "x")])
def test_a_body_that_goes_on_after_a_cut_off_call_is_kept_as_a_whole_or_not_at_all(act: Callable[[Calendar], None]) -> None:
    """Wherever the call was cut off: what comes after it shares the fate of what came before it."""
    outcomes = set()
    for nth in places(partial(act, numbers())):
        calendar = numbers()
        with suppress(TransactionError), calendar.transaction():
            calendar.book("r", 1, 2)
            cut_off(partial(act, calendar), nth)
            calendar.book("r", 8, 9)
        found = starts(calendar)
        assert (1 in found) == (8 in found), nth
        assert 1 in found or found == [], nth
        outcomes.add(1 in found)
        calendar.check()
    assert True in outcomes


@pytest.mark.parametrize("forget", FORGETTING)
def test_ctrl_c_while_a_block_is_collected_loses_no_block(forget: Callable[[Calendar], None]) -> None:
    """Python drops what is raised at the start of a finalizer, and with it all that the finalizer would have done."""

    def interrupt(frame: Any, event: str, argument: Any) -> None:
        if frame.f_code.co_name == "__del__":
            raise KeyboardInterrupt

    calendar = numbers()
    before, hook = sys.getprofile(), sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None
    try:
        sys.setprofile(interrupt)
        forget(calendar)
        gc.collect()
    finally:
        sys.setprofile(before)
        sys.unraisablehook = hook
    calendar.book("r", 8, 9)
    usual = numbers()
    forget(usual)
    gc.collect()
    usual.book("r", 8, 9)
    assert starts(calendar) == starts(usual)
    assert calendar._engine.state.gate.block is None
    calendar.check()


@pytest.mark.parametrize("act", [several, refused, nested, asked])
def test_ctrl_c_in_a_block_is_not_replaced(act: Callable[[Calendar], None]) -> None:
    """The block around a call that was cut off raises what cut it off."""
    def work(calendar: Calendar) -> None:
        with calendar.transaction():
            act(calendar)

    for nth in places(partial(work, numbers())):
        calendar = numbers()
        cut_off(partial(work, calendar), nth)  # raises whatever is no KeyboardInterrupt
        calendar.check()
