"""The resources of a calendar: their numbers, classes, tags and indexed values, all as bitmaps over the numbers.

    number    0        1       2         3
    objects   Flat a   Car b   removed   Flat d
    everything         1101b
    classes   Flat: 1001b   Car: 0010b
    tags      "sea": 1000b

Ascending numbers are the order of registration. The number of a removed resource is used again if no greater one is in use,
or after `Registry.renumber`.

Invariants: the last number of the table is that of a resource; ``renamed`` has, by identity, the resources that were
registered with another id than their own ``id``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from bookcore.engine.indexes import Indexes, Places
from bookcore.index.attribute_index import AttributeIndex
from bookcore.index.bitmap import Bitmap, from_ordinals, ordinals, pick
from bookcore.model.errors import (
    LACKING,
    DuplicateResourceError,
    QueryError,
    ResourceError,
    UnknownResourceError,
    attempt,
    blaming,
    brief,
    brief_key,
)
from bookcore.model.lengths import is_nothing, wrong_with
from bookcore.model.numpy_scalars import python_number
from bookcore.model.resource import Resource, check_quantity
from bookcore.model.typecheck import is_a
from bookcore.stores.record import ResourceRecord


class Registry:
    """The resources of one calendar. Not thread-safe: used under the calendar's lock."""

    __slots__ = (
        "by_id", "by_number", "classes", "everything", "indexes", "key", "objects",
        "pooled", "renamed", "tags",
    )  # fmt: skip

    def __init__(self, attribute_limit: int = AttributeIndex.LIMIT, key: Callable[[Any], Hashable] | None = None) -> None:
        self.key = key  # the calendar's function from a resource to its id; None: the resource's ``id``
        self.renamed: dict[int, ResourceRecord] = {}
        self.by_id: dict[Hashable, ResourceRecord] = {}
        self.objects: list[Any] = []  # by number; None where the resource was removed
        self.by_number: list[ResourceRecord | None] = []
        self.everything = Bitmap()
        self.pooled = Bitmap()  # the resources with a capacity above 1, or with buffers
        self.classes: dict[type, Bitmap] = {}
        self.tags: dict[Hashable, Bitmap] = {}
        self.indexes = Indexes("index", "create_index(name, key=...)", attribute_limit, Bitmap)

    def __len__(self) -> int:
        return len(self.by_id)

    @property
    def size(self) -> int:
        """One above the highest number in use."""
        return len(self.objects)

    def record(self, resource: Any) -> ResourceRecord:
        """Return the record of a resource given as the object, an equal one or its id. Raises: `UnknownResourceError`."""
        record = self.find(resource)
        if record is None:
            namesake = self._namesake(resource)
            raise UnknownResourceError(resource, None if namesake is None else namesake.resource)
        return record

    def find(self, resource: Any) -> ResourceRecord | None:
        """Return the record of a resource given as for `record`, or None. O(1)."""
        try:
            id_ = getattr(resource, "id", resource)
            record = self.by_id.get(id_)
            if record is not None and (record.resource is resource or id_ is resource):
                return record
        except LACKING:
            raise
        except Exception:  # noqa: S110 - unhashable, or the object's own code
            pass
        record = self.renamed.get(id(resource)) or self.with_id(resource)  # an id may happen to have an `id` itself
        if record is None and (namesake := self._namesake(resource)) is not None:
            return namesake if attempt(lambda: bool(namesake.resource == resource), False) else None
        return record

    def twin(self, resource: Any) -> ResourceRecord:
        """Return the record that stands for a resource of another calendar: as `record`, else by id and class. O(1)."""
        namesake = self._namesake(resource)
        if namesake is not None and type(namesake.resource) is type(resource) and self.find(resource) is None:
            return namesake
        return self.record(resource)

    def id_of(self, resource: Any) -> Any:
        """Return the id that an object is, or would be, registered with; an id is returned as it is. O(1)."""
        record = self.renamed.get(id(resource))
        if record is not None:
            return record.id
        if self.key is None:
            return getattr(resource, "id", resource)
        if self.with_id(resource) is not None:
            return resource
        key = self.key
        return attempt(lambda: key(resource), resource)  # the calendar's `key` may raise for an id that no resource has

    def with_id(self, id: Any) -> ResourceRecord | None:
        """Return the record with this id, or None. Raises nothing. O(1)."""
        return attempt(lambda: self.by_id.get(id), None)  # the id may be unhashable, or run code of its own

    def _namesake(self, resource: Any) -> ResourceRecord | None:
        """Return the record with the id of an object, even if its resource is another object."""
        return attempt(lambda: self.with_id(self.id_of(resource)), None)

    def prepare(
        self, resource: Any, capacity: int | None, before: Any, after: Any, id: Hashable = None, *, or_standing: bool = False
    ) -> ResourceRecord:
        """Return a new record for *resource*, not registered yet. Raises: as `Calendar.add_resource`.

        *or_standing*: if there is a resource of its class with its id, return the record of that.
        """
        if id is None:
            why = "it has no id" if self.key is None else "the calendar's key makes no id of it"
            with blaming(lambda exc: ResourceError(resource, f"{why} ({type(exc).__name__})")):
                id = resource.id if self.key is None else self.key(resource)
        if is_a(resource, type) and hasattr(type(id), "__get__"):  # the descriptor that its objects have for their ids
            raise ResourceError(resource, "it is a class: add objects of it")
        with blaming(lambda exc: ResourceError(resource, f"its id cannot be hashed ({type(exc).__name__})")):
            known = id in self.by_id
        if id is None:
            raise ResourceError(resource, "its id is None")
        present = self.find(resource)
        if known:
            standing = self.by_id[id]
            if not or_standing:
                raise DuplicateResourceError(resource, id)
            if type(standing.resource) is not type(resource):
                reason = f"it is a {type(standing.resource).__name__}, not a {type(resource).__name__}"
                raise DuplicateResourceError(resource, id, reason)
            return standing
        if present is not None and present.resource is resource:
            raise DuplicateResourceError(resource, present.id)
        if is_a(resource, Resource):
            capacity = resource.capacity if capacity is None else capacity
            before = resource.before if before is None else before
            after = resource.after if after is None else after
        else:
            if capacity is None and (units := _own_units(resource)) > 1:
                reason = f"its capacity is {brief(units)}, which may count seats: give capacity={brief(units)}, or 1"
                raise ResourceError(resource, reason)
            for name, length in ("before", before), ("after", after):
                if length is None and (own := _own_length(resource, name)) is not None:
                    reason = f"its {name} is {brief_key(own)}, which may be something else than a buffer"
                    raise ResourceError(resource, f"{reason}: give {name}={brief(own)}, or {name}=0 for none")
        for name, length in ("before", before), ("after", after):
            if length is not None and (wrong := wrong_with(length)):
                raise ResourceError(resource, f"its {name} is {brief_key(length)}, {wrong}")
        units = check_quantity(1 if capacity is None else capacity, "capacity")
        before, after = (None if is_nothing(length) else length for length in (before, after))
        return ResourceRecord(id, resource, self.size, units, before, after)

    def add(
        self, record: ResourceRecord, places: Places = (), indexed: Any = None, registered_as: type | None = None
    ) -> None:
        """Register a record under its number, which is `size` or above, or the number of a removed resource.

        *places* is a result of `Indexes.places`; or *indexed* is one of `held`, and then the indexes need no key function.
        """
        number, cls = record.number, registered_as or type(record.resource)
        members = self.classes.get(cls)
        self.by_id[record.id] = record
        if _is_renamed(record):
            self.renamed[id(record.resource)] = record
        self.indexes.enter(number, places)
        self.put_back(record, indexed or ())
        missing = [None] * (number + 1 - self.size)
        self.objects += missing
        self.by_number += missing
        self.objects[number], self.by_number[number] = record.resource, record
        self.everything.add(number)
        self.resized(record)
        if members is None:
            members = self.classes[cls] = Bitmap()
        members.add(number)

    def add_all(self, records: list[ResourceRecord]) -> None:
        """Register many new records, numbered from `size` on, while there are no indexes. O(n), most of it in C.

        The ids are known to be distinct, hashable and new.
        """
        low, high = self.size, self.size + len(records)
        objects = [record.resource for record in records]
        self.by_id.update(zip([record.id for record in records], records, strict=True))
        self.renamed.update([(id(record.resource), record) for record in records if _is_renamed(record)])
        self.objects += objects
        self.by_number += records
        self.everything.include((1 << high) - (1 << low))
        self.pooled.include(from_ordinals([record.number for record in records if not record.is_exclusive], high))
        numbers: defaultdict[type, list[int]] = defaultdict(list)
        for number, cls in enumerate(map(type, objects), low):
            numbers[cls].append(number)
        for cls, members in numbers.items():
            self.classes.setdefault(cls, Bitmap()).include(from_ordinals(members, members[-1] + 1))

    def remove(self, record: ResourceRecord) -> None:
        """Remove a record from all tables. O(labels + n / 8), and O(log n) for each index.

        It is removed from `by_id` last: if the removal is cut off, the record is found there, and removed again.
        """
        number = record.number
        # an addition that was cut off may have reached only some of these
        for cls, members in [(cls, members) for cls, members in self.classes.items() if number in members]:
            _take(number, cls, members, self.classes)
        self.everything.discard(number)
        self.pooled.discard(number)
        for label, bits in [(label, bits) for label, bits in self.tags.items() if number in bits]:
            _take(number, label, bits, self.tags)
        self.indexes.discard(number)
        for column in (self.objects, self.by_number):
            if number < len(column):
                column[number] = None
        while self.by_number and self.by_number[-1] is None:
            self.by_number.pop()
        del self.objects[len(self.by_number) :]
        self.renamed.pop(id(record.resource), None)
        self.by_id.pop(record.id, None)

    def resized(self, record: ResourceRecord) -> None:
        """Update the bitmap of resources with several units after a change of the capacity. O(1)."""
        if record.is_exclusive:
            self.pooled.discard(record.number)
        else:
            self.pooled.add(record.number)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Give each record the number that *numbers* gives for its present one, 0, 1, 2 ... in the same order. O(n)."""
        records = self.in_order()
        self.by_number = [*records]
        self.objects = [record.resource for record in records]
        for number, record in enumerate(records):
            record.number = number
        kinds: Iterable[Bitmap] = (*self.classes.values(), *self.tags.values())
        for bits in (self.everything, self.pooled, *kinds):
            bits.renumber(numbers)
        for index in self.indexes.by_name.values():
            index.renumber(numbers)

    def current(self, record: ResourceRecord) -> ResourceRecord | None:
        """Return the present record of a resource, or None if it is not registered any more. O(1).

        After an undone removal it is another record than before.
        """
        if record.number < self.size and self.by_number[record.number] is record:
            return record
        now = self.with_id(record.id)
        return now if now is not None and now.resource is record.resource else None

    def held(self, record: ResourceRecord) -> tuple[tuple[str, Any], ...]:
        """Return the entry of a record in each index, for `put_back`. O(log n) for each."""
        return tuple((name, index.held(record.number)) for name, index in self.indexes.by_name.items())

    def smaller_than(self, quantity: int) -> int:
        """Return a bitmap of the resources with fewer than *quantity* units, at least two. O(resources with capacity)."""
        pooled = self.pooled.value()
        records: list[Any] = pick(pooled, self.by_number)
        small = [record.number for record in records if record.capacity < quantity]
        return self.everything.value() & ~pooled | from_ordinals(small, self.size)

    def class_of(self, record: ResourceRecord) -> type:
        """Return the class under which a record was registered; the class of its object may have been changed since."""
        number, cls = record.number, type(record.resource)
        if cls not in self.classes or number not in self.classes[cls]:
            cls = next(cls for cls, bits in self.classes.items() if number in bits)
        return cls

    def in_order(self) -> list[ResourceRecord]:
        """Return all records in order of registration. O(n)."""
        records: list[Any] = pick(self.everything.value(), self.by_number)
        return records

    # -- tags and kinds ----------------------------------------------------------------------------

    def tag(self, record: ResourceRecord, *labels: Hashable) -> None:
        """Put labels on a resource, all or none. Raises: `QueryError`."""
        tags = self.tags
        bitmaps: list[Bitmap] = []
        fresh = 0
        label: Hashable = None
        try:
            for label in labels:
                bits = tags.get(label)
                if bits is None:
                    bits = tags[label] = Bitmap()
                    fresh += 1
                bitmaps.append(bits)
        except Exception as exc:
            for _ in range(fresh):  # the new labels are the last ones, and `popitem` runs none of their code
                tags.popitem()
            if is_a(exc, LACKING):
                raise
            raise QueryError(label, f"cannot be used as a label ({type(exc).__name__})") from exc
        for bits in bitmaps:
            bits.add(record.number)

    def tag_all(self, numbers: Sequence[int], label: Hashable) -> None:
        """Put a label on the resources with these numbers, at least one. O(highest / 8 + numbers)."""
        self.tags.setdefault(label, Bitmap()).include(from_ordinals(numbers, max(numbers) + 1))

    def untag(self, record: ResourceRecord, label: Hashable) -> None:
        """Take a label off a resource. Raises: `QueryError`."""
        bits = self._tagged(label)
        if bits is not None and record.number in bits:
            _take(record.number, label, bits, self.tags)

    def repair(self, changed: int | None) -> None:
        """Make the indexes anew, without the resource of this number, after a change was cut off; drop unused labels.

        O(n log n) for each index. Raises: `KeyTypeError` when the values of an index cannot be compared any more.
        """
        self.indexes.repair(lambda number: number != changed)
        for label in [label for label, bits in self.tags.items() if not bits.value()]:
            del self.tags[label]

    def _tagged(self, label: Hashable) -> Bitmap | None:
        with blaming(lambda exc: QueryError(label, f"cannot be used as a label ({type(exc).__name__})")):
            return self.tags.get(label)

    def has_label(self, record: ResourceRecord, label: Hashable) -> bool:
        """Tell whether a resource has a label. O(1). Raises: `QueryError`."""
        bits = self._tagged(label)
        return bits is not None and record.number in bits

    def labels(self, record: ResourceRecord) -> list[Hashable]:
        """Return the labels of one resource. O(number of labels in the calendar)."""
        return [label for label, bits in self.tags.items() if record.number in bits]

    def tagged(self, label: Hashable) -> int:
        """Return a bitmap of the resources with the label. Raises: `QueryError`."""
        bits = self._tagged(label)
        return 0 if bits is None else bits.value()

    def of_class(self, cls: type, within: int = -1) -> int:
        """Return a bitmap of the resources in *within* that are instances of *cls*, its subclasses and virtual subclasses.

        A protocol with attributes does not support `issubclass`; then `isinstance` is called for each resource.
        Raises: `QueryError`.
        Complexity: O(number of distinct classes); with such a protocol O(resources in *within*).
        """
        # a protocol that is not a runtime protocol, or the class's own code
        with blaming(lambda exc: QueryError(cls, "cannot be used as a class of resources")):
            if _is_about_objects(cls):
                numbers = ordinals(within & self.everything.value())
                return from_ordinals([number for number in numbers if isinstance(self.objects[number], cls)], self.size)
            result = 0
            for kind, bits in list(self.classes.items()):
                if issubclass(kind, cls):
                    result |= bits.value()
        return result & within

    def put_back(self, record: ResourceRecord, held: Iterable[tuple[str, Any]]) -> None:
        """Restore the entries of a record in the indexes, as `held` returned them. Runs no code of the user."""
        for name, entry in held:
            if name in self.indexes.by_name:
                self.indexes.by_name[name].put_back(record.number, entry)

    # -- checking ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise AssertionError unless records, numbers, kinds, tags and indexes agree."""
        numbers = {record.number for record in self.by_id.values()}
        everything = from_ordinals(numbers, self.size)
        if len(numbers) != len(self.by_id) or self.everything.value() != everything:
            raise AssertionError("records and numbers differ")
        for number, (record, resource) in enumerate(zip(self.by_number, self.objects, strict=True)):
            if (record is None) is (number in numbers) or (record and record.resource is not resource):
                raise AssertionError(f"number {number} is not that of {record!r}")
        for place, record in self.renamed.items():
            if id(record.resource) != place or self.by_id.get(record.id) is not record:
                raise AssertionError(f"{record!r} is among the renamed, and is not registered")
        kinds = [bits.value() for bits in self.classes.values()]
        if sum(bits.bit_count() for bits in kinds) != len(numbers) or any(bits & ~everything for bits in kinds):
            raise AssertionError("each record is of one kind")
        if self.by_number and self.by_number[-1] is None:
            raise AssertionError("the last number is not in use")
        if any(bits.value() & ~everything for bits in (self.pooled, *self.tags.values())):
            raise AssertionError("something is known of resources that are gone")
        self.indexes.check(numbers)


def _is_renamed(record: ResourceRecord) -> bool:
    """Tell whether a resource is registered with another id than its own ``id``, or has none."""
    try:
        own = getattr(record.resource, "id", None)
        return own is not record.id and bool(own != record.id)
    except LACKING:
        raise
    except Exception:  # the object's own code
        return True


def _own_units(resource: Any) -> int:
    """Return the ``capacity`` of an object that is no `Resource`; 1 if it has none, or none that is a number."""
    units = attempt(lambda: python_number(resource.capacity), 1)
    return units if type(units) is int else 1


def _own_length(resource: Any, name: str) -> Any:
    """Return an attribute of an object that is no `Resource`, if it is a length other than zero; else None."""
    length = attempt(lambda: getattr(resource, name), None)
    return None if length is None or is_a(length, date) or wrong_with(length) or is_nothing(length) else length


def _take(number: int, key: Any, bits: Bitmap, bitmaps: dict[Any, Bitmap]) -> None:
    """Remove a number from the bitmap of a label or class; remove the bitmap too if it is empty then."""
    bits.discard(number)
    if not bits.value():
        try:
            del bitmaps[key]
        except Exception:  # noqa: S110 - the code of the label or of the metaclass: it stays, with an empty bitmap
            pass


def _is_about_objects(cls: type) -> bool:
    """Tell whether a class is a protocol that supports `isinstance` and not `issubclass`."""
    if not getattr(cls, "_is_protocol", False):
        return False
    try:
        # with a new class: for a class that was checked before, Python 3.11 answers from its cache instead of raising
        issubclass(type("Fresh", (), {}), cls)
    except TypeError:
        return True
    return False
