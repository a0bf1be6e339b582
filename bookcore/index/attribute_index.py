"""One indexed attribute of the resources: values in order, cut into blocks with a bitmap each.

    blocks     10 10 20 35  |  35 40 40  |  55 90
    numbers     3  7  0  5  |   8  1  2  |   4  6

``between(20, 60)`` is a scan of the first and the last block and the bitmaps of those between. Entries are in order
of value, then of number; blocks may be cut inside a run of equal values. A resource whose value is missing (its key
raised AttributeError or a lookup error, or gave None, NaN or a tuple with NaN in it) is in no block and sorts last.

Values compare by the user's own code, which may raise at any comparison. So a change is made in two steps: `place`
compares and changes nothing, `enter` changes and compares nothing. A change of several indexes takes all the first
steps first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from bookcore.index.bitmap import Bitmap, from_ordinals, ordinals
from bookcore.model.errors import KeyTypeError, QueryError, brief

__all__ = ["MISSING", "AttributeIndex", "Held", "Place", "is_nan"]

LIMIT = 1024
"""How many entries a block holds before it is cut. Two edge scans of half a block cost about 0.1 ms."""

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "missing", "__slots__": ()})()

Place = tuple[int, int]
"""Where an entry is, or belongs: which block, and where in it."""

Held = tuple[Any, int | None]
"""What a number had: its value, and the number before it in order (None: it was first, or had no value)."""


def is_nan(value: Any) -> bool:
    """Tell whether a value is NaN (it does not equal itself) or a tuple with one in it: such have no place in an order."""
    if isinstance(value, tuple):
        return any(map(is_nan, value))
    return not bool(value == value)


class _Block:
    __slots__ = ("bits", "numbers", "values")

    def __init__(self, values: list[Any], numbers: list[int]) -> None:
        self.values, self.numbers = values, numbers
        self.bits = Bitmap()
        for number in numbers:
            self.bits.add(number)


class AttributeIndex:
    """The values of one key function over all resources, in order.

    ``values`` has every number that is in, those without a value (`MISSING`) too.

    Complexity, with n resources: `put`, `discard` O(log n + LIMIT); `between` O(log n + LIMIT + n / LIMIT).
    """

    __slots__ = ("blocks", "key", "lows", "name", "size", "values")

    def __init__(self, name: str, key: Callable[[Any], Any]) -> None:
        self.name, self.key = name, key
        self.blocks: list[_Block] = []
        self.lows: list[Any] = []
        self.values: dict[int, Any] = {}
        self.size = 0

    def value_of(self, resource: Any) -> Any:
        """Ask the key function; `MISSING` where it has no answer. Other exceptions become a `QueryError`."""
        try:
            value = self.key(resource)
            return MISSING if value is None or is_nan(value) else value
        except (AttributeError, LookupError):
            return MISSING
        except Exception as exc:
            raise QueryError(resource, f"the key of index {self.name!r} raised {type(exc).__name__}: {exc}") from exc

    def place(self, number: int, value: Any) -> Place | None:
        """Return where a value belongs, None for `MISSING`, after every comparison that this takes; change nothing.

        Raises: `KeyTypeError` when it cannot be ordered among those held.
        """
        if value is MISSING:
            return None
        lows = self.lows
        other = lows[0] if lows else value
        try:
            bool(value < other)
            bool(other < value)
            if not lows:
                return 0, 0
            at = max(bisect_right(lows, value) - 1, 0)
            while at and not lows[at] < value and self.blocks[at].numbers[0] > number:
                at -= 1  # the run of this value began in an earlier block, and so did the lower numbers
            block = self.blocks[at]
            high = bisect_right(block.values, value)
            return at, bisect_left(block.numbers, number, bisect_left(block.values, value, 0, high), high)
        except Exception as exc:
            raise KeyTypeError(
                value, f"cannot be ordered in index {self.name!r} among values such as {brief(other)}"
            ) from exc

    def put(self, number: int, value: Any) -> None:
        """Give a number without a value one, or raise as `place` does and change nothing."""
        self.enter(number, value, self.place(number, value))

    def enter(self, number: int, value: Any, place: Place | None) -> None:
        """Give a number the value for which `place` has just been found, in the place of the one it may have.

        Compares nothing that could fail.
        """
        old = self._find(number) if number in self.values else None
        self.values[number] = value
        into = out_of = -1
        if place is not None:
            into, spot = place
            if not self.blocks:
                self.blocks.append(_Block([], []))
                self.lows.append(value)
            block = self.blocks[into]
            block.values.insert(spot, value)
            block.numbers.insert(spot, number)
            block.bits.add(number)
            if number >= self.size:
                self.size = number + 1
        if old is not None:
            out_of, at = old
            if out_of == into and place is not None and place[1] <= at:
                at += 1
            block = self.blocks[out_of]
            del block.values[at], block.numbers[at]
            if out_of != into:
                block.bits.discard(number)
        if out_of > into:  # the later block first, as settling one moves those after it
            self._settle(out_of)
        if into >= 0:
            self._settle(into)
        if 0 <= out_of < into:
            self._settle(out_of)

    def held(self, number: int) -> Held:
        """Return what `put_back` needs to give a number what it has now."""
        found = self._find(number)
        if found is None:
            return MISSING, None
        at, spot = found
        value = self.values[number]
        if spot:
            return value, self.blocks[at].numbers[spot - 1]
        return value, self.blocks[at - 1].numbers[-1] if at else None

    def discard(self, number: int) -> None:
        """Take a number out if it is in. Compares nothing that could fail."""
        if number in self.values:
            self.enter(number, MISSING, None)
            del self.values[number]

    def put_back(self, number: int, held: Held) -> None:
        """Give a number again what it had, with the rest as it was then; raise nothing.

        Neither the key function nor the value is asked, both of which may have changed their minds: its neighbour says
        where it was. If that one is gone, as after an undo that failed, it is placed anew, or has no value if that fails.
        """
        value, before = held
        self.discard(number)
        place: Place | None = None
        if value is not MISSING:
            found = None if before is None else self._find(before)
            if found is not None:
                place = found[0], found[1] + 1
            elif before is None:
                place = 0, 0
            else:
                try:
                    place = self.place(number, value)
                except KeyTypeError:
                    value = MISSING
        self.enter(number, value, place)

    def _find(self, number: int) -> Place | None:
        """Return where a number's value is, None if it has none.

        O(log n + LIMIT); where values are not what they were when they were put, O(n / LIMIT + LIMIT).
        """
        value = self.values.get(number, MISSING)
        if value is MISSING:
            return None
        blocks = self.blocks
        try:
            at = max(bisect_left(self.lows, value) - 1, 0)
            while number not in blocks[at].bits:
                at += 1
            block = blocks[at]
            return at, block.numbers.index(number, bisect_left(block.values, value))
        except Exception:  # the value's own code, or it has changed
            at = next(at for at, block in enumerate(blocks) if number in block.bits)
            return at, blocks[at].numbers.index(number)

    def _settle(self, at: int) -> None:
        """Bring a block that has changed, and what is known of it, in order: gone if empty, cut if full."""
        block = self.blocks[at]
        size = len(block.values)
        if size > LIMIT:
            half = size // 2
            one = _Block(block.values[:half], block.numbers[:half])
            two = _Block(block.values[half:], block.numbers[half:])
            self.blocks[at : at + 1] = [one, two]
            self.lows[at : at + 1] = [one.values[0], two.values[0]]
        elif size:
            self.lows[at] = block.values[0]
        else:
            del self.blocks[at], self.lows[at]

    def between(self, low: Any, high: Any) -> int:
        """Return the numbers with ``low <= value <= high``, None for no limit, as a bitmap.

        Raises: `QueryError` for a NaN, which is no limit of anything; `KeyTypeError`.
        """
        lows, blocks = self.lows, self.blocks
        try:
            for bound in (low, high):
                if bound is not None and is_nan(bound):
                    raise QueryError(bound, f"is no bound of index {self.name!r}: it equals nothing, not even itself")
            if low is not None and high is not None and high < low:
                return 0
            first = 0 if low is None else max(bisect_left(lows, low) - 1, 0)
            last = len(blocks) if high is None else bisect_right(lows, high)
            result = 0
            scanned: list[int] = []
            for at in range(first, last):
                block = blocks[at]
                values = block.values
                start = 0 if low is None or low < values[0] else bisect_left(values, low)
                stop = len(values) if high is None or values[-1] < high else bisect_right(values, high)
                if start == 0 and stop == len(values):
                    result |= block.bits.value()
                else:
                    scanned += block.numbers[start:stop]
        except QueryError:
            raise
        except Exception as exc:
            raise KeyTypeError(
                high if low is None else low, f"cannot be compared with the values of index {self.name!r}"
            ) from exc
        return result | from_ordinals(scanned, self.size) if scanned else result

    def one_of(self, values: Iterable[Any]) -> int:
        """Return the numbers whose value equals one of *values*, as a bitmap. None and NaN equal nothing."""
        result = 0
        for value in values:
            try:
                nothing = value is None or is_nan(value)
            except Exception as exc:
                raise KeyTypeError(value, f"cannot be compared with the values of index {self.name!r}") from exc
            if not nothing:
                result |= self.between(value, value)
        return result

    def in_order(self, bits: int) -> Iterator[int]:
        """Yield the numbers in *bits* by value, equal values by number; those without a value last, by number."""
        missing = bits
        for block in self.blocks:
            here = bits & block.bits.value()
            if here:
                missing ^= here
                data = here.to_bytes((self.size >> 3) + 1, "little")
                for number in block.numbers:
                    if data[number >> 3] >> (number & 7) & 1:
                        yield number
        yield from ordinals(missing)

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold."""
        pairs = [pair for block in self.blocks for pair in zip(block.values, block.numbers, strict=True)]
        for one, two in pairwise(pairs):
            if two[0] < one[0] or (not one[0] < two[0] and one[1] >= two[1]):
                raise AssertionError(f"{one} before {two}")
        valued = {number: value for number, value in self.values.items() if value is not MISSING}
        if len(pairs) != len(valued) or any(valued.get(number, MISSING) is not value for value, number in pairs):
            raise AssertionError("blocks and values differ")
        for block, low in zip(self.blocks, self.lows, strict=True):
            if block.bits.value() != from_ordinals(block.numbers, self.size) or low is not block.values[0]:
                raise AssertionError("a block's bitmap or low value is wrong")
