"""Keys and values of the user's own classes: how each is told in plain values, and made from them again.

The file holds the name a class was registered under and the plain values; nothing is ever imported by a name
in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from bookcore.model.errors import KeyTypeError
from bookcore.model.typecheck import is_a

__all__ = ["KeyCodec", "codec_for", "codec_named", "register_key_codec"]

K = TypeVar("K")


class KeyCodec(NamedTuple):
    """How the instances of exactly one class are written and read."""

    cls: type
    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_by_class: dict[type, KeyCodec] = {}
_by_name: dict[str, KeyCodec] = {}
_lock = Lock()


def register_key_codec(
    cls: type[K], name: str, encode: Callable[[K], Any], decode: Callable[[Any], K]
) -> None:
    """Let snapshots carry instances of *cls* (as keys, ids, or attributes), under *name*.

    *encode* tells an instance in plain values (numbers, text, dates, tuples of these ...) and *decode* makes
    an equal instance from them. Only instances of exactly *cls* are meant, not of its subclasses. IdTable
    the same name before restoring. Registering again replaces the two functions of the same class and name.

    Raises: `KeyTypeError` if *cls* is no class, *name* is no text or taken by another class, or *cls* has
    another name.
    Complexity: O(1).

    >>> class Port:
    ...     def __init__(self, number): self.number = number
    ...     def __lt__(self, other): return self.number < other.number
    >>> register_key_codec(Port, "example.port", encode=lambda port: port.number, decode=Port)
    """
    given: object = cls
    if not is_a(given, type):
        raise KeyTypeError(cls, "a key codec is for a class")
    if not _is_name(name):
        raise KeyTypeError(cls, "the name of a key codec is a printable text of 1 to 200 characters")
    if not all(map(callable, (encode, decode))):
        raise KeyTypeError(cls, "the encode and decode of a key codec are functions")
    from bookcore.persist.codec.columns import FAMILIES  # not before it is needed: it imports much

    if cls in FAMILIES:
        raise KeyTypeError(cls, "is carried already, as it is")
    with _lock:
        same_class, same_name = _by_class.get(cls), _by_name.get(name)
        if same_class is not None and same_class.name != name:
            raise KeyTypeError(cls, f"has a key codec already, named {same_class.name!r}")
        if same_name is not None and same_name.cls is not cls:
            raise KeyTypeError(cls, f"the name {name!r} is taken by {same_name.cls.__qualname__}")
        codec = KeyCodec(cls, name, encode, decode)
        _by_class[cls] = codec
        _by_name[name] = codec


def _is_name(name: object) -> bool:
    return type(name) is str and 0 < len(name) <= 200 and name.isprintable()


def codec_for(cls: type) -> KeyCodec | None:
    """Return the codec registered for exactly *cls*."""
    return _by_class.get(cls)


def codec_named(name: str) -> KeyCodec | None:
    """Return the codec registered under *name*."""
    return _by_name.get(name)
