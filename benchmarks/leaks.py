"""What a calendar keeps of calls that take each other back: of nothing but them, repeated millions of times.

    python -m benchmarks.leaks                                  # every cycle of bookcore.testing.cycles, 3,000,000 times
    python -m benchmarks.leaks --cycles 100000 --only hold      # those with "hold" in their names, fewer times

Blocks of memory are counted, and the process's memory is read, twenty times on the way. What the second half reaches must
not exceed what the first half reached: structures that are tidied now and then go up and down, and a leak goes up. Exit
status 1 if one does not stay flat.
"""

from __future__ import annotations

import argparse
import gc
import sys
from itertools import islice
from typing import NamedTuple

from benchmarks.gate_worker import resident_bytes
from bookcore import MemoryStore
from bookcore.testing.cycles import CYCLES

__all__ = ["Growth", "growth"]

SAMPLES = 20
BLOCKS = 2_000
"""What is no leak: blocks of the interpreter's own, and of a list that happens to be longer at the end."""
MEMORY = 4 << 20
"""As `BLOCKS`, in bytes of the process: it takes memory from the system in large pieces, and in part gives it back."""


class Growth(NamedTuple):
    """By how much the second half of a run went beyond the first."""

    blocks: int
    memory: int

    @property
    def is_flat(self) -> bool:
        """Whether this is no leak."""
        return self.blocks <= BLOCKS and self.memory <= MEMORY


def growth(name: str, cycles: int) -> Growth:
    """Run a cycle so many times; return what it left behind."""
    run = CYCLES[name](MemoryStore())
    blocks, memory = [], []
    for _ in range(SAMPLES):
        for _ in islice(run, max(1, cycles // SAMPLES)):
            pass
        gc.collect()
        blocks.append(sys.getallocatedblocks())
        memory.append(resident_bytes())
    half = SAMPLES // 2
    return Growth(max(blocks[half:]) - max(blocks[:half]), max(memory[half:]) - max(memory[:half]))


def main(arguments: list[str] | None = None) -> int:
    """Run the cycles that were asked for, and print a line for each."""
    parser = argparse.ArgumentParser("python -m benchmarks.leaks", description="What calls that cancel out leave behind.")
    parser.add_argument("--cycles", type=int, default=3_000_000, help="how often each cycle is run (default: 3,000,000)")
    parser.add_argument("--only", default="", help="the cycles whose name contains this text")
    given = parser.parse_args(arguments)
    leaks = 0
    for name in CYCLES:
        if given.only not in name:
            continue
        grown = growth(name, given.cycles)
        leaks += not grown.is_flat
        print(f"{name:45} {grown.blocks:+10,} blocks {grown.memory:+12,} bytes  {'flat' if grown.is_flat else 'LEAK'}")
    return int(bool(leaks))


if __name__ == "__main__":
    sys.exit(main())
