"""Small numbers under consecutive keys: an array in parts, of four bytes each.

    key       1   2   3   4  ...  1,023 | 1,024  1,025 ...
    part 0    7   0   3   -  ...     12 |                         -: nothing under this key (any more)
    part 1                              |     5      7

Keys are given out one after the other, and a part in which nothing is left is dropped. A dict would take 70 bytes for each
key, and Python's garbage collector would walk through its values; of an array it knows nothing. Parts are small, because
where one key at a time is put and removed, each is the first of its part, and fills the places before it.

Invariant: part p holds the keys from ``p << SHIFT`` on; ``empty[p]`` of its places hold nothing, and not all do.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence

SHIFT = 10
SIZE = 1 << SHIFT
NOTHING = 0xFFFFFFFF
BLANK = array("I", [NOTHING]) * SIZE


class SequenceTable:
    """A mapping of keys, which are ints from 0 that mostly rise, to ints from 0 below 2**32 - 1. O(1) each, unless said."""

    __slots__ = ("empty", "parts")

    def __init__(self) -> None:
        self.parts: dict[int, array[int]] = {}
        self.empty: dict[int, int] = {}

    def get(self, key: int) -> int | None:
        """Return the value of a key, or None."""
        part = self.parts.get(key >> SHIFT)
        at = key & SIZE - 1
        if part is None or at >= len(part):
            return None
        value = part[at]
        return None if value == NOTHING else value

    def __getitem__(self, key: int) -> int:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: int) -> bool:
        return self.get(key) is not None

    def __setitem__(self, key: int, value: int) -> None:
        """Put a value under a key. O(1): at most the places of one part are copied."""
        number, at = key >> SHIFT, key & SIZE - 1
        part = self.parts.get(number)
        if part is None:
            self.empty[number] = 0
            part = self.parts[number] = array("I")
        if at == len(part):
            part.append(value)
        elif at > len(part):
            self.empty[number] += at - len(part)
            part.extend(BLANK[len(part) : at])
            part.append(value)
        else:
            self.empty[number] -= part[at] == NOTHING
            part[at] = value

    def pop(self, key: int) -> int:
        """Remove a key and return its value. O(1). Raises: KeyError."""
        value = self[key]
        number = key >> SHIFT
        part = self.parts[number]
        part[key & SIZE - 1] = NOTHING
        self.empty[number] += 1
        if self.empty[number] == len(part):
            del self.parts[number], self.empty[number]
        return value

    def repair(self) -> None:
        """Count anew, after a change was cut off. O(places)."""
        empty = {number: part.count(NOTHING) for number, part in self.parts.items()}
        for number in [number for number, part in self.parts.items() if empty[number] == len(part)]:
            del self.parts[number], empty[number]
        self.empty = empty

    def put_range(self, first: int, values: Sequence[int]) -> None:
        """Put values under consecutive keys, none of which is here, all after those that are. O(their number), in C."""
        low = 0
        while low < len(values):
            high = min(low + SIZE - (first + low & SIZE - 1), len(values))
            self[first + low] = values[low]  # which makes the part, and fills it up to here
            number, after = first + low >> SHIFT, (first + low & SIZE - 1) + 1
            part = self.parts[number]
            self.empty[number] -= len(part) - after  # behind are places of keys that were removed
            del part[after:]
            rest = values[low + 1 : high]
            same = type(rest) is array and rest.typecode == "I"  # anything else is read number by number, bytes as well
            part.extend(rest if same else iter(rest))
            low = high

    def put_all(self, keys: Sequence[int], values: Sequence[int], most: int) -> None:
        """Put values under distinct keys, in any order, of which the greatest is *most*.

        O(n), in C if there are no others and few between them.
        """
        if self.parts or most > 4 * len(keys) + SIZE:
            for key, value in zip(keys, values, strict=True):
                self[key] = value
            return
        table = array("I", [NOTHING]) * (most + 1)
        for key, value in zip(keys, values, strict=True):
            table[key] = value
        left = len(table) - len(keys)  # places that hold nothing, mostly one
        for at in range(0, len(table), SIZE):
            part = table[at : at + SIZE]
            empty = left and part.count(NOTHING)
            left -= empty
            if empty < len(part):
                self.empty[at >> SHIFT] = empty
                self.parts[at >> SHIFT] = part

    def map_values(self, values: Mapping[int, int]) -> None:
        """Replace each value by the one that *values* gives for it. O(places)."""
        place_of = {NOTHING: NOTHING, **values}.__getitem__
        for number, part in self.parts.items():
            self.parts[number] = array("I", map(place_of, part))

    def __len__(self) -> int:
        """Return the number of keys. O(parts)."""
        return sum(map(len, self.parts.values())) - sum(self.empty.values())

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __iter__(self) -> Iterator[int]:
        """Iterate the keys in ascending order. O(places)."""
        for number in sorted(self.parts):
            base = number << SHIFT
            for at, value in enumerate(self.parts[number], base):
                if value != NOTHING:
                    yield at

    def check(self) -> None:
        """Raise AssertionError unless the invariant holds. O(places)."""
        for number, part in self.parts.items():
            if self.empty[number] != part.count(NOTHING) or self.empty[number] == len(part) or len(part) > SIZE:
                raise AssertionError(f"part {number} has {part.count(NOTHING)} empty places of {len(part)}")
        if self.empty.keys() != self.parts.keys():
            raise AssertionError("empty places are counted of other parts than there are")
