"""In which of the partitions of a calendar a resource is: a hash of its id, the same in every process and every Python.

    id  ->  its canonical bytes, equal for equal ids  ->  BLAKE2b, 8 bytes  ->  modulo the number of partitions

Python's own `hash` of a text differs from process to process. Ids that are equal to each other are one resource, so they
have to be in one partition: ``1``, ``1.0`` and ``True``; a text and a member of an enumeration that is that text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from math import isfinite
from typing import Any

from bookcore.model.keys import normal
from bookcore.persist.codec.columns import encode_column


def partition_of(id: Any, partitions: int) -> int:
    """Return the number of the partition of the resource with this id, from 0. O(length of the id).

    Raises: what the codec of an unusual id raises.

    >>> [partition_of(id, 8) for id in ("room", "flat 7", 4711, ("flat", 7))]
    [0, 7, 0, 6]
    >>> partition_of(1, 8) == partition_of(1.0, 8) == partition_of(True, 8)
    True
    """
    data = b"s" + id.encode("utf-8", "surrogatepass") if type(id) is str else canonical(id)
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") % partitions


def canonical(id: Any) -> bytes:
    """Return bytes that are equal for equal ids, and different for different ids of the plain types."""
    id = normal(id)  # a number or a time of NumPy or pandas
    if isinstance(id, str):
        return b"s" + str.encode(id, "utf-8", "surrogatepass")
    if isinstance(id, int):
        return b"n" + hex(int(id)).encode()
    if isinstance(id, (float, Decimal, Fraction)):
        if not isinstance(id, Fraction) and not isfinite(id):
            return b"n" + str(float(id)).encode()
        exact = Fraction(id)
        return b"n" + (hex(exact.numerator) + ("" if exact.denominator == 1 else f"/{exact.denominator:x}")).encode()
    if isinstance(id, bytes):
        return b"b" + bytes(id)
    if isinstance(id, tuple):
        return b"t" + b"".join(_counted(each) for each in id)
    if isinstance(id, frozenset):
        return b"f" + b"".join(sorted(_counted(each) for each in id))
    if type(id) is datetime and id.utcoffset() is not None:
        id = id.astimezone(UTC)
    return b"o" + bytes(encode_column([id]))


def _counted(id: Any) -> bytes:
    """Return the bytes of one element, after their length, so that two different tuples never have the same bytes."""
    data = canonical(id)
    return b"%d:" % len(data) + data
