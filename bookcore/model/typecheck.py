"""What an object is, asked past its own code: for the edges, where anybody may hand in anything.

``isinstance`` believes an object's ``__class__``, which may be made up, and runs the object's code to ask for it, which
may fail. An object that passes for a datetime and has no ``tzinfo`` then fails far from where it came in. Here the type
is asked, which Python itself keeps; a subclass of ``str`` is read as the text it holds, whatever its methods say.
"""

from __future__ import annotations

from typing import Any, TypeGuard, TypeVar, overload

__all__ = ["is_a", "plain_text"]


T = TypeVar("T")


@overload
def is_a(value: object, cls: type[T]) -> TypeGuard[T]: ...
@overload
def is_a(value: object, cls: tuple[type, ...]) -> bool: ...
def is_a(value: Any, cls: Any) -> bool:
    """Tell whether *value* is an instance of a class, or of one of several, whatever it says of itself. O(1).

    For a type checker an abstract class is given as one of several, ``(Iterable,)``.

    >>> class Liar:
    ...     __class__ = int
    >>> isinstance(Liar(), int), is_a(Liar(), int), is_a(True, (int, str))
    (True, False, True)
    """
    try:
        return issubclass(type(value), cls)
    except Exception:  # an abstract class looks into the type, and the type of that may have code of its own
        return False


def plain_text(value: Any) -> str | None:
    """Return the text that a ``str`` holds, past what a subclass makes of it; None for what is no text.

    >>> plain_text("raise"), plain_text(b"raise")
    ('raise', None)
    """
    return str.__str__(value) if issubclass(type(value), str) else None
