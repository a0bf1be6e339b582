"""Type checks that run no code of the object: for the edges, where callers may pass any object.

``isinstance`` believes an object's ``__class__``, which the object may have made up, and runs the object's code to get it,
which may raise. An object that passes for a datetime but has no ``tzinfo`` would then fail far from where it came in. The
functions here ask Python for the real type, and read a subclass of ``str`` as the text that it holds, whatever its methods
return.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any, TypeGuard, TypeVar, overload

T = TypeVar("T")


@overload
def is_a(value: object, cls: type[T]) -> TypeGuard[T]: ...
@overload
def is_a(value: object, cls: tuple[type, ...]) -> bool: ...
def is_a(value: Any, cls: Any) -> bool:
    """Tell whether *value* is an instance of a class, or of one of several classes, by its real type. O(1).

    To satisfy a type checker, pass an abstract class in a tuple: ``(Iterable,)``.

    >>> class Liar:
    ...     __class__ = int
    >>> isinstance(Liar(), int), is_a(Liar(), int), is_a(True, (int, str))
    (True, False, True)
    """
    try:
        return issubclass(type(value), cls)
    except (MemoryError, RecursionError):  # `LACKING`, which needs this file
        raise
    except Exception:  # an abstract class inspects the type, whose metaclass may have code of the user's own
        return False


def is_async(function: Any) -> bool:
    """Tell whether a function is ``async``, so that a call of it does nothing until it is awaited.

    >>> async def tell(change): ...
    >>> is_async(tell), is_async(print)
    (True, False)
    """
    try:
        return iscoroutinefunction(function) or iscoroutinefunction(function.__call__)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # the object's own code
        return False


def can_be_encoded(text: str) -> bool:
    r"""Tell whether a text has no lone surrogates, which stand in for bytes that could not be decoded.

    >>> can_be_encoded("Zürich"), can_be_encoded("Z\udcfcrich")
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain_text(value: Any) -> str | None:
    """Return the text that a ``str`` holds, without calling methods of a subclass; None if *value* is no ``str``.

    >>> plain_text("raise"), plain_text(b"raise")
    ('raise', None)
    """
    return str.__str__(value) if issubclass(type(value), str) else None
