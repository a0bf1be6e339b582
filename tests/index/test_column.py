"""A column against a list of pairs: bags, postings and bitmaps give the same answers, cut and changed alike."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bookcore.index.bitmap import ordinals
from bookcore.index.column import Column, Ordinals, side_of
from bookcore.index.posting_list import PostingBitmap, PostingList, grouped

PAIRS = st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any)
KEYS = st.integers(-1, 30)
SIZES = st.tuples(st.sampled_from([2, 4, 16]), st.sampled_from([1, 2, 5, 100]))
Pair = tuple[int, int]


def pairs_of(sizes: list[int]) -> list[Pair]:
    """Return so many ordinals at each even key."""
    return [(2 * at, 100 * at + more) for at, size in enumerate(sizes) for more in range(size)]


def filled(pairs: list[Pair], holds_low: bool, sizes: tuple[int, int], way: str) -> Column:
    """Return a column of sorted pairs, built at once, key by key, or entry by entry."""
    column = Column(holds_low, *sizes)
    keys, numbers = [key for key, _ in pairs], [number for _, number in pairs]
    if way == "keys":
        column.fill(keys, numbers)
    elif way == "postings":
        column.fill_postings([PostingList(-5, None), *grouped(keys, numbers), PostingList(99, None)])
    else:
        for key, number in sorted(pairs, key=lambda pair: pair[1] * 37 % 101):
            put(column, key, number)
    return column


def put(column: Column, key: int, number: int) -> None:
    """Insert an entry as the index does."""
    at = column.leaf_of(key)
    leaf: Any = column.leaves[at]
    column.insert(at, 0 if type(leaf) is list else side_of(leaf, key), key, number)
    column.count += 1


def take(column: Column, key: int, number: int) -> Any:
    """Delete an entry as the index does."""
    at = column.leaf_of(key)
    return column.delete(at, column.find(at, key, number), number)


def holds(column: Column, pairs: list[Pair]) -> None:
    """Check a column, and that it holds just these pairs."""
    column.check()
    keys, numbers = column.flat()
    assert keys == sorted(keys)
    assert sorted(zip(keys, numbers, strict=True)) == sorted(pairs)
    assert column.count == len(pairs)
    assert listed(column.every()) == sorted(number for _, number in pairs)


def listed(found: Ordinals) -> list[int]:
    """Return ordinals in order, whatever form they come in."""
    numbers, bitmaps = found
    return sorted([*numbers, *(number for bits in bitmaps for number in ordinals(bits))])


@given(
    sizes=PAIRS, holds_low=st.booleans(), low=KEYS, high=KEYS, inclusive=st.booleans(), parts=SIZES,
    way=st.sampled_from(["keys", "postings", "entries"]),
)  # fmt: skip
def test_a_column_answers_as_a_list_of_pairs_does(
    sizes: list[int], holds_low: bool, low: int, high: int, inclusive: bool, parts: tuple[int, int], way: str
) -> None:
    """Before, after and between, with the keys themselves and without, however the column was made."""
    pairs = pairs_of(sizes)
    column = filled(pairs, holds_low, parts, way)
    holds(column, pairs)
    touch = 0 if inclusive else 1
    assert listed(column.before(low, inclusive)) == sorted(n for k, n in pairs if k + touch <= low)
    assert listed(column.after(low, inclusive)) == sorted(n for k, n in pairs if low + touch <= k)
    if low < high:
        right = sorted(n for k, n in pairs if low + touch <= k and k + touch <= high)
        assert listed(column.between(low, high, inclusive)) == right


@given(
    sizes=PAIRS, holds_low=st.booleans(), cut=KEYS, new=st.lists(st.tuples(KEYS, st.integers(0, 9)), max_size=30),
    parts=SIZES, way=st.sampled_from(["keys", "postings", "entries"]),
)  # fmt: skip
def test_a_column_is_changed_cut_and_joined_as_a_list_of_pairs_is(
    sizes: list[int], holds_low: bool, cut: int, new: list[Pair], parts: tuple[int, int], way: str
) -> None:
    """Entries come and go, beside postings too; a cut leaves what lies left of it; joined again it is the same."""
    pairs = pairs_of(sizes)
    column = filled(pairs, holds_low, parts, way)
    for at, (key, gone) in enumerate(new):
        put(column, key, 5_000 + at)
        pairs.append((key, 5_000 + at))
        holds(column, pairs)
        if at % 2:
            pair = pairs.pop(gone % len(pairs))
            emptied = take(column, *pair)
            assert emptied is None or pair[0] not in {key for key, _ in pairs}
            holds(column, pairs)
    head, _ = column.middle()
    assert (head is None) == (len({key for key, _ in pairs}) < 2)
    right = column.cut(*column.right_of(cut))
    on_the_left = [pair for pair in pairs if (pair[0] < cut if holds_low else pair[0] <= cut)]
    holds(column, on_the_left)
    holds(right, [pair for pair in pairs if pair not in on_the_left])
    column.join(cut, right)
    holds(column, pairs)


@given(numbers=st.sets(st.integers(0, 400), min_size=1), others=st.lists(KEYS, max_size=12), holds_low=st.booleans())
def test_a_uniform_column_takes_other_keys_beside_its_bitmap(
    numbers: set[int], others: list[int], holds_low: bool
) -> None:
    """All keys equal: one bitmap, which is a leaf like any."""
    column = filled([(7, number) for number in sorted(numbers)], holds_low, (4, 2), "entries")
    assert type(column.make_uniform()) is PostingBitmap
    assert column.uniform
    pairs = [(7, number) for number in numbers]
    for at, key in enumerate(others):
        put(column, key, 1_000 + at)
        pairs.append((key, 1_000 + at))
        holds(column, pairs)
    assert listed(column.before(7, False)) == sorted(number for key, number in pairs if key < 7)
    for pair in pairs:
        take(column, *pair)
    holds(column, [])


def test_only_a_frequent_key_that_can_be_looked_up_is_given_a_posting() -> None:
    """So many ordinals to a key, of one type whose equals may stand for each other."""

    def postings(keys: list[Any]) -> list[Any]:
        column = Column(True, 8, 4)
        for number, key in enumerate(keys):
            at = column.leaf_of(key)
            leaf: Any = column.leaves[at]
            column.insert(at, 0 if type(leaf) is list else side_of(leaf, key), key, number)
        return [posting.key for posting in column.postings()]

    assert postings([1, 2, 3, 1, 2, 3, 1, 1]) == [1]
    assert postings([1] * 4 + [2] * 4) == [1, 2]
    assert postings([1] * 3 + [2] * 3 + [3] * 2) == []
    assert postings([1.0] * 8) == []
    assert postings([True] * 4 + [2] * 4) == [2]
    assert postings([True] * 2 + [1] * 2 + [2] * 4) == [2]
