"""A column of the timeline whose keys are all equal, and too many to be kept one by one.

A block whose starts all share one key cannot be cut in two, however many they are, and need not be: the bitmap alone is
the answer, so that a million starts at one instant cost a bit each (`Column` says what columns are).

Invariant: ``count`` bits are set, and there is at least one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bookcore.index.bitmap import Bitmap, ordinals
from bookcore.index.column import Column

__all__ = ["ConstantColumn"]


class ConstantColumn:
    """One key, and who has it. Complexity: a change O(1), a question O(n / 8), at machine speed."""

    __slots__ = ("bits", "count", "holds_low", "key")
    uniform = True
    binned = False

    def __init__(self, holds_low: bool, key: Any, numbers: Iterable[int]) -> None:
        self.holds_low, self.key = holds_low, key
        self.bits = Bitmap()
        for number in numbers:
            self.bits.add(number)
        self.count = self.bits.value().bit_count()

    def leaf_of(self, key: Any) -> int:
        """Return 0: there is one place. The caller has seen that the key is the one key."""
        return 0

    def insert(self, at: int, key: Any, number: int) -> None:
        """Put an entry in."""
        self.count += 1
        self.bits.add(number)

    def find(self, at: int, key: Any, number: int) -> int:
        """Return 0: there is one place."""
        return 0

    def delete(self, at: int, place: int, number: int) -> None:
        """Take an entry out."""
        self.count -= 1
        self.bits.discard(number)

    def forget(self, number: int) -> int:
        """Take out the entry of an ordinal, if there is one; return how many there were."""
        if number not in self.bits:
            return 0
        self.delete(0, 0, number)
        return 1

    def toggle(self, data: bytearray) -> None:
        """Flip in *data* the bit of every entry. O(n / 8)."""
        flipped = int.from_bytes(data, "little") ^ self.bits.value()
        data[:] = flipped.to_bytes(len(data), "little")

    def numbers(self) -> list[int]:
        """Return all ordinals, as a new list. O(n)."""
        return list(ordinals(self.bits.value()))

    def flat(self) -> tuple[list[Any], list[int]]:
        """Return a key for each entry, and their ordinals."""
        return [self.key] * self.count, self.numbers()

    def right_of(self, cut: Any) -> bool:
        """Tell whether the one key lies right of a cut."""
        return not self.key < cut if self.holds_low else bool(cut < self.key)

    def cut(self, right: bool) -> tuple[ConstantColumn | Column, ConstantColumn | Column]:
        """Return what lies left of a cut, and what right of it, as columns. Compares nothing."""
        none = Column(self.holds_low)
        return (none, self) if right else (self, none)

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds."""
        if not self.count or self.bits.value().bit_count() != self.count:
            raise AssertionError("a uniform column miscounted")
