"""What can be wrong with a table as a whole. What is wrong with one row is a `BadRow`, and no error."""

from __future__ import annotations

from bookcore.model.errors import BookcoreError, brief

__all__ = ["ColumnError", "DelimiterError", "TableError"]


class TableError(BookcoreError):
    """A file that cannot be read as a table at all. Attributes: ``path``, ``reason``."""

    def __init__(self, path: object, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class ColumnError(TableError):
    """A column asked for is not in the file.

    Attributes: ``missing`` (names), ``roles`` (what each is wanted as: resource, start, end, id), ``columns``
    (those there are).
    """

    def __init__(
        self, path: object, missing: tuple[str, ...], roles: tuple[str, ...], columns: tuple[str, ...]
    ) -> None:
        self.missing, self.roles, self.columns = missing, roles, columns
        there = ", ".join(brief(name, 40) for name in columns[:30])
        more = f" and {len(columns) - 30} more" if len(columns) > 30 else ""
        names = ", ".join(map(brief, missing))
        super().__init__(path, f"there is no column {names}; the columns are {there}{more}")


class DelimiterError(TableError):
    """The delimiter named parts the first line less well than another. Attributes: ``delimiter``, ``likely``."""

    def __init__(self, path: object, delimiter: str, likely: str) -> None:
        self.delimiter, self.likely = delimiter, likely
        super().__init__(
            path, f"the delimiter {brief(delimiter)} seems to be wrong: the first line is parted by {brief(likely)}"
        )
