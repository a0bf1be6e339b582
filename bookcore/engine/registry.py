"""Which resources there are: their numbers, kinds, tags and indexed values, all as bitmaps over the numbers.

    number    0        1       2        3
    objects   Flat a   Car b   (gone)   Flat d
    everything         1101b
    kinds     Flat: 1001b   Car: 0010b
    tags      "sea": 1000b

A resource's number is its place in the order of registration; numbers of removed resources are not used again, so
that ascending number is registration order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from bookcore.index.attribute_index import AttributeIndex, Held, Place
from bookcore.index.bitmap import Bitmap, from_ordinals, ordinals
from bookcore.model.errors import (
    DuplicateResourceError,
    IndexNameError,
    QueryError,
    ResourceError,
    UnknownResourceError,
    brief_key,
)
from bookcore.model.lengths import wrong_with
from bookcore.model.records import Resource, check_capacity
from bookcore.model.typecheck import is_a
from bookcore.stores.record import ResourceRecord

__all__ = ["Registry", "Removed"]


class Removed(NamedTuple):
    """What a catalog knew of a record that was removed."""

    kind: Bitmap
    labels: list[Hashable]
    held: list[tuple[AttributeIndex, Held]]


class Registry:
    """The resources of one calendar. Not thread-safe: it stays behind the calendar's lock."""

    __slots__ = ("by_id", "entries", "everything", "indexes", "kinds", "objects", "pooled", "tags")

    def __init__(self) -> None:
        self.by_id: dict[Hashable, ResourceRecord] = {}
        self.objects: list[Any] = []  # by number; None where the resource is gone
        self.entries: list[ResourceRecord | None] = []
        self.everything = Bitmap()
        self.pooled = Bitmap()  # who may have bookings that overlap, or needs turnaround
        self.kinds: dict[type, Bitmap] = {}
        self.tags: dict[Hashable, Bitmap] = {}
        self.indexes: dict[str, AttributeIndex] = {}

    def __len__(self) -> int:
        return len(self.by_id)

    @property
    def size(self) -> int:
        """One above the highest number given out."""
        return len(self.objects)

    def entry(self, resource: Any) -> ResourceRecord:
        """Return the record of a resource given as the object or its id, or raise `UnknownResourceError`. O(1)."""
        try:
            found = self.by_id.get(getattr(resource, "id", resource))
            if found is None:
                found = self.by_id.get(resource)  # an id that happens to have an `id` itself
        except Exception:  # unhashable, or an object whose own code fails
            found = None
        if found is None:
            raise UnknownResourceError(resource)
        return found

    def prepare(self, resource: Any, capacity: int | None, before: Any, after: Any) -> ResourceRecord:
        """Return a new record for *resource*, not registered yet; raise if it cannot be."""
        try:
            id = resource.id
        except Exception as exc:
            raise ResourceError(resource, f"it has no id ({type(exc).__name__})") from exc
        try:
            known = id in self.by_id
        except Exception as exc:
            raise ResourceError(resource, f"its id cannot be hashed ({type(exc).__name__})") from exc
        if id is None:
            raise ResourceError(resource, "its id is None")
        if known:
            raise DuplicateResourceError(resource)
        if is_a(resource, Resource):
            capacity = resource.capacity if capacity is None else capacity
            before = resource.before if before is None else before
            after = resource.after if after is None else after
        for name, length in ("before", before), ("after", after):
            if length is not None and (wrong := wrong_with(length)):
                raise ResourceError(resource, f"its {name} is {brief_key(length)}, {wrong}")
        return ResourceRecord(id, resource, self.size, check_capacity(resource, 1 if capacity is None else capacity), before, after)

    def add(self, entry: ResourceRecord) -> None:
        """Register a prepared record. All code of the user's runs first; if any fails, nothing has changed."""
        number, cls = entry.number, type(entry.resource)
        places = self._places(entry) if self.indexes else ()
        kind = self.kinds.get(cls)
        self.by_id[entry.id] = entry
        for index, value, place in places:
            index.enter(number, value, place)
        self.objects.append(entry.resource)
        self.entries.append(entry)
        self.everything.add(number)
        if not entry.plain:
            self.pooled.add(number)
        if kind is None:
            kind = self.kinds[cls] = Bitmap()
        kind.add(number)

    def add_all(self, entries: list[ResourceRecord]) -> None:
        """Register many new records, numbered on from `size`, as `add` does one by one, while there are no indexes.

        The ids are known to be distinct, hashable and new. O(n), most of it in C.
        """
        low, high = self.size, self.size + len(entries)
        objects = [entry.resource for entry in entries]
        kinds = list(map(type, objects))
        self.by_id.update(zip([entry.id for entry in entries], entries, strict=True))
        self.objects += objects
        self.entries += entries
        _include(self.everything, (1 << high) - (1 << low))
        _include(self.pooled, from_ordinals([entry.number for entry in entries if not entry.plain], high))
        numbers: defaultdict[type, list[int]] = defaultdict(list)
        for number, cls in enumerate(kinds, low):
            numbers[cls].append(number)
        for cls, members in numbers.items():
            _include(self.kinds.setdefault(cls, Bitmap()), from_ordinals(members, high))

    def remove(self, entry: ResourceRecord) -> Removed:
        """Forget a record and all that is known of it; return what `restore` needs."""
        number = entry.number
        del self.by_id[entry.id]
        removed = Removed(
            self._kind(entry), self.labels(entry), [(index, index.held(number)) for index in self.indexes.values()]
        )
        self.objects[number] = self.entries[number] = None
        self.everything.discard(number)
        self.pooled.discard(number)
        removed.kind.discard(number)
        for label, bits in [(label, bits) for label, bits in self.tags.items() if number in bits]:
            self._take(number, label, bits)
        for index, _ in removed.held:
            index.discard(number)
        return removed

    def restore(self, entry: ResourceRecord, removed: Removed) -> None:
        """Put back a removed record under its old number, in its old place in every order, with what was known of it."""
        number = entry.number
        self.by_id[entry.id] = entry
        self.objects[number] = entry.resource
        self.entries[number] = entry
        self.everything.add(number)
        if not entry.plain:
            self.pooled.add(number)
        removed.kind.add(number)
        self.put_back(entry, removed.held)
        failed: Exception | None = None
        for label in removed.labels:
            try:
                self.tag(entry, label)
            except Exception as exc:  # the label's own code; the rest is put back
                failed = exc
        if failed is not None:
            raise failed

    def forget_last(self, entry: ResourceRecord) -> None:
        """Have the number of a removed record, if it is the last that was given out, be given out again."""
        if entry.number == self.size - 1:
            self.objects.pop()
            self.entries.pop()

    def _kind(self, entry: ResourceRecord) -> Bitmap:
        """Return the kind under which a record was registered; its object may be of another class by now."""
        number = entry.number
        kind = self.kinds.get(type(entry.resource))
        if kind is None or number not in kind:
            kind = next(kind for kind in self.kinds.values() if number in kind)
        return kind

    def in_order(self) -> list[ResourceRecord]:
        """Return all records in order of registration. O(numbers given out)."""
        return [entry for entry in self.entries if entry is not None]

    # -- tags and kinds ----------------------------------------------------------------------------

    def tag(self, entry: ResourceRecord, *labels: Hashable) -> list[Hashable]:
        """Put labels on a resource, all or none; return those that were new there. Raises: `QueryError`."""
        number, tags = entry.number, self.tags
        found: list[tuple[Hashable, Bitmap]] = []
        fresh = 0
        label: Hashable = None
        try:
            for label in labels:
                bits = tags.get(label)
                if bits is None:
                    bits = tags[label] = Bitmap()
                    fresh += 1
                found.append((label, bits))
        except Exception as exc:
            for _ in range(fresh):  # they are the last, and this way they are not asked again
                tags.popitem()
            raise QueryError(label, f"cannot be used as a label ({type(exc).__name__})") from exc
        new = []
        for label, bits in found:
            if number not in bits:
                bits.add(number)
                new.append(label)
        return new

    def tag_all(self, numbers: Iterable[int], label: Hashable) -> None:
        """Put a label on the resources of these numbers, of which there is at least one. O(n / 8 + numbers)."""
        _include(self.tags.setdefault(label, Bitmap()), from_ordinals(numbers, self.size))

    def untag(self, entry: ResourceRecord, *labels: Hashable) -> list[Hashable]:
        """Take labels off a resource, all or none; return those that were there. Raises: `QueryError`."""
        number = entry.number
        found = [(label, self._tagged(label)) for label in labels]
        gone = []
        for label, bits in found:
            if bits is not None and number in bits:
                self._take(number, label, bits)
                gone.append(label)
        return gone

    def _take(self, number: int, label: Hashable, bits: Bitmap) -> None:
        """Take a number out of the bitmap of a label, and forget the label if it was the last."""
        bits.discard(number)
        if not bits.value():
            try:
                del self.tags[label]
            except Exception:  # noqa: S110 - the label's own code: it stays, and nobody carries it
                pass

    def _tagged(self, label: Hashable) -> Bitmap | None:
        try:
            return self.tags.get(label)
        except Exception as exc:
            raise QueryError(label, f"cannot be used as a label ({type(exc).__name__})") from exc

    def labels(self, entry: ResourceRecord) -> list[Hashable]:
        """Return the labels of one resource. O(number of labels in the calendar)."""
        return [label for label, bits in self.tags.items() if entry.number in bits]

    def tagged(self, label: Hashable) -> int:
        """Return who has the label, as a bitmap. Raises: `QueryError`."""
        bits = self._tagged(label)
        return 0 if bits is None else bits.value()

    def of_kind(self, cls: type, within: int = -1) -> int:
        """Return who of *within* is an instance of *cls*, its subclasses and virtual subclasses.

        A protocol that asks for more than methods cannot be asked about classes: each resource is asked about then.
        Raises: `QueryError`.
        Complexity: O(number of distinct classes); with such a protocol O(resources in *within*).
        """
        try:
            if _is_about_objects(cls):
                here = ordinals(within & self.everything.value())
                return from_ordinals([number for number in here if isinstance(self.objects[number], cls)], self.size)
            result = 0
            for kind, bits in list(self.kinds.items()):
                if issubclass(kind, cls):
                    result |= bits.value()
        except Exception as exc:  # a protocol that cannot be asked at all, or the class's own code
            raise QueryError(cls, "cannot be used as a class of resources") from exc
        return result & within

    # -- indexes -----------------------------------------------------------------------------------

    def create_index(self, name: str, key: Callable[[Any], Any]) -> None:
        """Index every resource, now and later, by *key*; nothing changes if a value cannot be had."""
        if name in self.indexes:
            raise IndexNameError(name, "there is an index of that name already")
        index = AttributeIndex(name, key)
        for entry in self.in_order():
            index.put(entry.number, index.value_of(entry.resource))
        self.indexes[name] = index

    def index(self, name: object) -> AttributeIndex:
        """Return the index called *name*, or raise `IndexNameError` that lists those there are."""
        try:
            found = self.indexes.get(name)  # type: ignore[call-overload]
        except Exception:  # unhashable, or the object's own code
            found = None
        if found is None:
            known = ", ".join(sorted(self.indexes)) or "none yet: create_index(name, key=...)"
            raise IndexNameError(name, f"no such index; there are: {known}")
        result: AttributeIndex = found
        return result

    def reindex(self, entry: ResourceRecord, noting: bool) -> list[tuple[AttributeIndex, Held]]:
        """Ask every index key again for one resource, all or nothing; if *noting*, return what `put_back` needs."""
        places = self._places(entry)
        held = [(index, index.held(entry.number)) for index, _, _ in places] if noting else []
        for index, value, place in places:
            index.enter(entry.number, value, place)
        return held

    def put_back(self, entry: ResourceRecord, held: Iterable[tuple[AttributeIndex, Held]]) -> None:
        """Give a record again what the indexes held of it."""
        for index, before in held:
            index.put_back(entry.number, before)

    def _places(self, entry: ResourceRecord) -> list[tuple[AttributeIndex, Any, Place | None]]:
        """Return a record's value for every index and where it belongs there; change nothing."""
        values = [(index, index.value_of(entry.resource)) for index in self.indexes.values()]
        return [(index, value, index.place(entry.number, value)) for index, value in values]

    # -- checking ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise AssertionError unless records, numbers, kinds, tags and indexes agree."""
        numbers = {entry.number for entry in self.by_id.values()}
        everything = from_ordinals(numbers, self.size)
        if len(numbers) != len(self.by_id) or self.everything.value() != everything:
            raise AssertionError("records and numbers differ")
        for number, (entry, resource) in enumerate(zip(self.entries, self.objects, strict=True)):
            if (entry is None) is (number in numbers) or (entry and entry.resource is not resource):
                raise AssertionError(f"number {number} is not that of {entry!r}")
        kinds = [bits.value() for bits in self.kinds.values()]
        if sum(bits.bit_count() for bits in kinds) != len(numbers) or any(bits & ~everything for bits in kinds):
            raise AssertionError("each record is of one kind")
        if any(bits.value() & ~everything for bits in (self.pooled, *self.tags.values())):
            raise AssertionError("something is known of resources that are gone")
        for name, index in self.indexes.items():
            index.check()
            if index.values.keys() != numbers:
                raise AssertionError(f"index {name!r} lacks a resource, or has one that is gone")


def _is_about_objects(cls: type) -> bool:
    """Tell whether a class is a protocol that only objects can be asked about, not classes."""
    if not getattr(cls, "_is_protocol", False):
        return False
    try:
        # of a class that has never been asked about: Python 3.11 answers, wrongly, for those of objects asked about before
        issubclass(type("Fresh", (), {}), cls)
    except TypeError:
        return True
    return False


def _include(bitmap: Bitmap, bits: int) -> None:
    """Put all of *bits* into a bitmap. O(n / 8)."""
    value = bitmap.value() | bits
    bitmap.data = bytearray(value.to_bytes((value.bit_length() + 7) >> 3, "little"))
    bitmap.cached = value
