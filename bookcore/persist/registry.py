"""Key codecs: functions that turn instances of a user's class into plain values and back.

A file holds the plain values and the name under which the class was registered. No class is ever imported by a
name in a file.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from bookcore.model.errors import KeyTypeError
from bookcore.model.typecheck import is_a
from bookcore.persist.codec.containers import CONTAINERS
from bookcore.persist.codec.scalars import SCALARS
from bookcore.persist.codec.times import TIMES

K = TypeVar("K")


class KeyCodec(NamedTuple):
    """How the instances of exactly one class are written and read."""

    cls: type
    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_by_class: dict[type, KeyCodec] = {}
_by_name: dict[str, KeyCodec] = {}
_lock = RLock()


def register_key_codec(
    cls: type[K], name: str, encode: Callable[[K], Any], decode: Callable[[Any], K]
) -> None:
    """Let snapshots hold instances of *cls* as keys, ids, or attributes, under *name*.

    *encode* returns plain values (numbers, texts, dates, tuples of these ...) for an instance, and *decode* makes
    an equal instance from them. The codec is used for instances of exactly *cls*, not of its subclasses. Register
    the same name before restoring. Registering the same class and name again replaces the two functions.

    Raises: `KeyTypeError` if *cls* is not a class, if snapshots hold its instances without a codec, if *name* is
    not a text or is the name of another class, or if *cls* has another name.
    Complexity: O(1).

    >>> class Port:
    ...     def __init__(self, number): self.number = number
    ...     def __lt__(self, other): return self.number < other.number
    >>> register_key_codec(Port, "example.port", encode=lambda port: port.number, decode=Port)
    """
    given: object = cls
    if not is_a(given, type):
        raise KeyTypeError(cls, "a key codec is for a class")
    if type(name) is not str or not 0 < len(name) <= 200 or not name.isprintable():
        raise KeyTypeError(cls, "the name of a key codec is a printable text of 1 to 200 characters")
    if not all(map(callable, (encode, decode))):
        raise KeyTypeError(cls, "the encode and decode of a key codec are functions")
    if cls in SCALARS or cls in TIMES or cls in CONTAINERS:
        raise KeyTypeError(cls, "snapshots hold it already, without a key codec")
    with _lock:
        same_class, same_name = _by_class.get(cls), _by_name.get(name)
        if same_class is not None and same_class.name != name:
            raise KeyTypeError(cls, f"has a key codec already, named {same_class.name!r}")
        if same_name is not None and same_name.cls is not cls:
            raise KeyTypeError(cls, f"the name {name!r} is taken by {same_name.cls.__qualname__}")
        codec = KeyCodec(cls, name, encode, decode)
        _by_class[cls] = codec
        _by_name[name] = codec


def codec_for(cls: type) -> KeyCodec | None:
    """Return the codec registered for exactly *cls*."""
    return _by_class.get(cls)


def codec_named(name: str) -> KeyCodec | None:
    """Return the codec registered under *name*."""
    return _by_name.get(name)
