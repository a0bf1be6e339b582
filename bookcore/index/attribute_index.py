"""The values of one attribute in order, for range questions: chunks of a sorted list, with a bitmap for each chunk.

    chunks     10 10 20 35  |  35 40 40  |  55 90        values
                3  7  0  5  |   8  1  2  |   4  6        ordinals
    heads      10           |  35        |  55           the first value of each chunk

``between(20, 60)`` scans the first and the last chunk and takes the bitmaps of the chunks between them. That is why the
chunks are kept here and not by a `SortedKeyList`: without a bitmap for each chunk, half of 10,000 different values took
32 times as long, half of 100,000 more than 100 times; and it has no insertion at a position that is known already.

Entries are in order of value, entries of equal values in order of ordinal; a run of equal values may continue in the next
chunk. An ordinal whose value is `MISSING` (see `AttributeIndex.value_of`) is in no chunk and sorts last.

Values are compared by the user's own ``<``, which may raise at any comparison. So a change has two steps: `place`
compares and changes nothing, `enter` changes and makes no comparison that could fail it. A change of several indexes
calls `place` of all of them first.

Invariants, which `AttributeIndex.check` proves: entries are in order; chunks are not empty and have at most ``limit``
entries; ``heads`` and the bitmaps agree with the chunks; each ordinal of ``values`` with a value is in exactly one chunk.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from bookcore.index.bitmap import Bitmap, from_ordinals, ordinals
from bookcore.model.errors import (
    LACKING,
    BookcoreError,
    KeyTypeError,
    QueryError,
    RecursiveCallError,
    blaming,
)
from bookcore.model.keys import KeyFamily, normal

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "missing", "__slots__": ()})()

Position = tuple[int, int]
"""Where an entry is, or belongs: the number of its chunk, and the index in that chunk."""


Held = tuple[Any, int | None]
"""The state of an ordinal: its value, and the ordinal before it in order (None: it was first, or had no value)."""


def is_nan(value: Any) -> bool:
    """Tell whether a value is NaN (it does not equal itself) or a tuple that contains one. Such values have no order."""
    if isinstance(value, tuple):
        return any(map(is_nan, value))
    return not bool(value == value)


class _Chunk:
    """Neighbouring entries: their values and their ordinals in parallel, and the ordinals as a set of the given kind."""

    __slots__ = ("bits", "ordinals", "values")

    def __init__(self, values: list[Any], ordinals: list[int], kind: Callable[[], Any] = Bitmap) -> None:
        self.values, self.ordinals = values, ordinals
        self.bits = kind()
        for ordinal in ordinals:
            self.bits.add(ordinal)


class AttributeIndex:
    """The values that one key function gives for many objects, each object known by its ordinal, in order.

    ``values`` has every ordinal that is in the index, including those without a value (`MISSING`). *limit* is the length
    at which a chunk is cut in two. *kind* makes the sets of ordinals of the chunks: `Bitmap`, which `between`, `one_of` and
    `in_order` need, or ``set`` where ordinals grow for ever, for `ordinals_between` alone.

    Complexity, with n ordinals: `put`, `discard` O(log n + limit); `between` O(log n + limit + n / limit).
    """

    __slots__ = ("chunks", "family", "heads", "key", "kind", "limit", "name", "size", "values")

    LIMIT = 1024  # scanning half a chunk at both edges of a range takes about 0.1 ms

    def __init__(
        self, name: str, key: Callable[[Any], Any], limit: int = LIMIT, kind: Callable[[], Any] = Bitmap
    ) -> None:
        self.name, self.key, self.limit, self.kind = name, key, limit, kind
        self.chunks: list[_Chunk] = []
        self.heads: list[Any] = []
        self.values: dict[int, Any] = {}
        self.size = 0  # above every ordinal that has had a value
        self.family = KeyFamily(True, self._held_values, f"the values of index {name!r}")

    def _held_values(self) -> Iterator[Any]:
        return (value for value in self.values.values() if value is not MISSING)

    def value_of(self, item: Any) -> Any:
        """Return what the key function gives for an object, in the form of `normal`.

        `MISSING` if that is None, NaN or a tuple with a NaN in it, or if the function raises
        AttributeError or LookupError.

        Raises: `QueryError` in place of every other exception of the function, save for a `RecursiveCallError`;
        `KeyTypeError` as `normal`.
        """
        try:
            value = self.key(item)
            return MISSING if value is None or is_nan(value) else normal(value)
        except (AttributeError, LookupError):
            return MISSING
        except (KeyTypeError, RecursiveCallError, *LACKING):
            raise
        except Exception as exc:
            raise QueryError(item, f"the key of index {self.name!r} raised {type(exc).__name__}: {exc}") from exc

    def place(self, number: int, value: Any) -> Position | None:
        """Return where a value belongs, None for `MISSING`, after all comparisons that this takes. Changes nothing.

        Raises: `KeyTypeError` when the value cannot be ordered among the values of the index.
        """
        if value is MISSING:
            return None
        self.family.point(value)
        heads = self.heads
        if not heads:
            return 0, 0
        try:
            at = max(bisect_right(heads, value) - 1, 0)
            while at and not heads[at] < value and self.chunks[at].ordinals[0] > number:
                at -= 1  # the run of this value began in an earlier chunk, with lower ordinals
            chunk = self.chunks[at]
            high = bisect_right(chunk.values, value)
            return at, bisect_left(chunk.ordinals, number, bisect_left(chunk.values, value, 0, high), high)
        except LACKING:
            raise
        except Exception as exc:
            raise KeyTypeError(value, f"cannot be ordered among {self.family.others}") from exc

    def put(self, number: int, value: Any) -> None:
        """Give an ordinal a value, or raise as `place` does and change nothing."""
        self.enter(number, value, self.place(number, value))

    def enter(self, number: int, value: Any, position: Position | None) -> None:
        """Give an ordinal the value for which `place` has just been called, in place of the value that it may have.

        Raises nothing: the new value is not compared, and see `_find` for the old one.
        """
        old = self._find(number)
        self.values[number] = value
        into = out_of = -1
        if position is not None:
            self.family.learn(value)
            into, index = position
            if not self.chunks:
                self.chunks.append(_Chunk([], [], self.kind))
                self.heads.append(value)
            chunk = self.chunks[into]
            chunk.values.insert(index, value)
            chunk.ordinals.insert(index, number)
            chunk.bits.add(number)
            if number >= self.size:
                self.size = number + 1
        if old is not None:
            out_of, at = old
            if out_of == into and position is not None and position[1] <= at:
                at += 1
            chunk = self.chunks[out_of]
            del chunk.values[at], chunk.ordinals[at]
            if out_of != into:
                chunk.bits.discard(number)
        for at in sorted({into, out_of} - {-1}, reverse=True):  # the later first: settling a chunk moves those behind it
            self._settle(at)

    def held(self, number: int) -> Held:
        """Return what `put_back` needs in order to restore the present state of an ordinal."""
        position = self._find(number)
        if position is None:
            return MISSING, None
        at, index = position
        before = self.chunks[at].ordinals[:index] or (self.chunks[at - 1].ordinals if at else ())
        return self.values[number], before[-1] if before else None

    def discard(self, number: int) -> None:
        """Remove an ordinal if it is in the index. Raises nothing."""
        if number in self.values:
            self.enter(number, MISSING, None)
            del self.values[number]

    def repair(self, keeps: Callable[[int], bool] = lambda number: True) -> None:
        """Make everything anew from ``values``, with the ordinals that *keeps*, after a change was cut off. O(n log n).

        Raises: `KeyTypeError` when the values cannot be compared any more.
        """
        fresh = AttributeIndex(self.name, self.key, self.limit, self.kind)
        for number, value in self.values.items():
            if keeps(number):
                fresh.put(number, value)
        # only now, because a comparison may have failed
        self.chunks, self.heads, self.values, self.size = fresh.chunks, fresh.heads, fresh.values, fresh.size

    def put_back(self, number: int, held: Held) -> None:
        """Restore a state of an ordinal, when all others are as they were then. Raises nothing.

        Neither the key function is called nor the value compared, as both may answer differently by now: the neighbour
        tells where the value was. If the neighbour is gone, as after an undo that failed, the value is placed anew; if
        that fails, the ordinal has no value.
        """
        value, before = held
        self.discard(number)
        position: Position | None = None
        if value is not MISSING:
            neighbour = None if before is None else self._find(before)
            if neighbour is not None:
                position = neighbour[0], neighbour[1] + 1
            elif before is None:
                position = 0, 0
            else:
                try:
                    position = self.place(number, value)
                except KeyTypeError:
                    value = MISSING
        self.enter(number, value, position)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Replace each ordinal by the one that *numbers* gives for it, in the same order. O(n). Compares nothing."""
        self.values = {numbers[number]: value for number, value in self.values.items()}
        self.chunks = [
            _Chunk(chunk.values, [numbers[number] for number in chunk.ordinals], self.kind) for chunk in self.chunks
        ]
        self.size = len(numbers)

    def _find(self, number: int) -> Position | None:
        """Return where an ordinal is, None if it has no value. Raises nothing.

        O(log n + limit), by its value. If that has changed since it was put, or its ``<`` fails, the bits of the chunks
        tell where it is, in O(n / limit + limit).
        """
        value = self.values.get(number, MISSING)
        if value is MISSING:
            return None
        chunks = self.chunks
        try:
            at = max(bisect_left(self.heads, value) - 1, 0)
            while number not in chunks[at].bits:
                at += 1
            chunk = chunks[at]
            return at, chunk.ordinals.index(number, bisect_left(chunk.values, value))
        except Exception:
            at = next(at for at, chunk in enumerate(chunks) if number in chunk.bits)
            return at, chunks[at].ordinals.index(number)

    def _settle(self, at: int) -> None:
        """After a change of a chunk: remove it if it is empty, cut it in two if it is too long, set its head."""
        chunk = self.chunks[at]
        if len(chunk.values) > self.limit:
            half = len(chunk.values) // 2
            halves = (
                _Chunk(chunk.values[:half], chunk.ordinals[:half], self.kind),
                _Chunk(chunk.values[half:], chunk.ordinals[half:], self.kind),
            )
            self.chunks[at : at + 1] = halves
            self.heads[at : at + 1] = [part.values[0] for part in halves]
        elif chunk.values:
            self.heads[at] = chunk.values[0]
        else:
            del self.chunks[at], self.heads[at]

    def between(self, low: Any, high: Any) -> int:
        """Return the ordinals with ``low <= value <= high`` as a bitmap; None is no limit.

        Raises: `QueryError` for a NaN, which limits nothing; `KeyTypeError` if a limit cannot be compared.
        """
        scanned: list[int] = []
        result = self._between(low, high, scanned)
        return result | from_ordinals(scanned, self.size) if scanned else result

    def _between(self, low: Any, high: Any, scanned: list[int]) -> int:
        """Return the ordinals of whole chunks as a bitmap, and add those of the others to *scanned*. See `between`."""
        result = 0
        for chunk, start, stop in self._parts(low, high):
            if start == 0 and stop == len(chunk.values):
                result |= chunk.bits.value()
            else:
                scanned += chunk.ordinals[start:stop]
        return result

    def ordinals_between(self, low: Any, high: Any) -> list[int]:
        """Return the ordinals with ``low <= value <= high`` in a list. Raises: as `between`. O(log n + limit + answers)."""
        return [ordinal for chunk, start, stop in self._parts(low, high) for ordinal in chunk.ordinals[start:stop]]

    def _parts(self, low: Any, high: Any) -> list[tuple[_Chunk, int, int]]:
        """Return the chunks that have values in a range, each with the places of the first of these and after the last."""
        heads, chunks = self.heads, self.chunks
        parts: list[tuple[_Chunk, int, int]] = []
        try:
            for bound in (low, high):
                if bound is not None and is_nan(bound):
                    raise QueryError(bound, f"is no bound of index {self.name!r}: it equals nothing, not even itself")
            low, high = (None if bound is None else self.family.point(bound) for bound in (low, high))
            if low is not None and high is not None and high < low:
                return parts
            first = 0 if low is None else max(bisect_left(heads, low) - 1, 0)
            last = len(chunks) if high is None else bisect_right(heads, high)
            for chunk in chunks[first:last]:
                values = chunk.values
                start = 0 if low is None or low < values[0] else bisect_left(values, low)
                stop = len(values) if high is None or values[-1] < high else bisect_right(values, high)
                parts.append((chunk, start, stop))
        except (BookcoreError, *LACKING):
            raise
        except Exception as exc:
            raise KeyTypeError(
                high if low is None else low, f"cannot be compared with the values of index {self.name!r}"
            ) from exc
        return parts

    def one_of(self, values: Iterable[Any]) -> int:
        """Return the ordinals whose value equals one of *values*, as a bitmap. None and NaN equal nothing."""
        result = 0
        scanned: list[int] = []
        for value in values:
            if self.has_order(value):
                whole = self._between(value, value, scanned)
                result = result | whole if whole else result  # which would copy the bitmap for each value
        return result | from_ordinals(scanned, self.size)

    def has_order(self, value: Any) -> bool:
        """Tell whether a value is neither None nor NaN, which equal nothing. Raises: `KeyTypeError`."""
        with blaming(lambda exc: KeyTypeError(value, f"cannot be compared with the values of index {self.name!r}")):
            return value is not None and not is_nan(value)

    def in_order(self, bits: int) -> Iterator[int]:
        """Yield the ordinals in *bits* by value, equal values by ordinal; those without a value last, by ordinal."""
        missing = bits
        for chunk in self.chunks:
            chosen = bits & chunk.bits.value()
            if chosen:
                missing ^= chosen
                data = chosen.to_bytes((self.size >> 3) + 1, "little")
                for ordinal in chunk.ordinals:
                    if data[ordinal >> 3] >> (ordinal & 7) & 1:
                        yield ordinal
        yield from ordinals(missing)

    def check(self) -> None:
        """Raise AssertionError unless the invariants hold. O(n)."""
        entries = [entry for chunk in self.chunks for entry in zip(chunk.values, chunk.ordinals, strict=True)]
        for (value, ordinal), (next_value, next_ordinal) in pairwise(entries):
            if next_value < value or (not value < next_value and ordinal >= next_ordinal):
                raise AssertionError(f"ordinals {ordinal} and {next_ordinal} are out of order")
        valued = {ordinal: value for ordinal, value in self.values.items() if value is not MISSING}
        if len(entries) != len(valued) or any(valued.get(ordinal, MISSING) is not value for value, ordinal in entries):
            raise AssertionError("the entries of the chunks and the values differ")
        for chunk, head in zip(self.chunks, self.heads, strict=True):
            if not 0 < len(chunk.values) <= self.limit:
                raise AssertionError(f"a chunk of {len(chunk.values)} entries")
            fresh = _Chunk(chunk.values, chunk.ordinals, self.kind)
            held, right = (c.bits.value() if self.kind is Bitmap else c.bits for c in (chunk, fresh))
            if held != right or head is not chunk.values[0]:
                raise AssertionError("the set of ordinals or the head of a chunk is wrong")
