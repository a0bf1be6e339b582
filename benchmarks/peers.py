"""What one would use instead, each as a careful user would write it, behind one small interface.

Every peer is optional: constructing one that cannot be imported raises ``MissingError`` with the reason. ``does``
names the questions it is asked; a static index (built once, no writes) is never asked to book. Peers that
take only integers get integers, converted before the clock starts; the others get the same keys as bookcore.

Where a peer has several ways to say one thing, ``tune`` times each on the loaded data and keeps the fastest.
"""

from __future__ import annotations

import importlib
import sqlite3
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.data import Dataset, Span

__all__ = ["PEERS", "MissingError", "fastest", "peer"]


class MissingError(Exception):
    """A contestant, a data set, or something that they need, is not here; the message is the reason to print."""


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise MissingError(f"{name} is not installed (pip install --group peers)") from exc


def fastest(
    ways: Sequence[Callable[..., Any]],
    calls: Sequence[tuple[Any, ...]],
    *,
    undo: Callable[[Any], Any] | None = None,
) -> Callable[..., Any]:
    """Return the way that takes the least time a call; all ways must give the same answers, unless undone.

    Each gets a fifth of a second at most, so that one that is slow on this data costs no more than finding that out.
    """
    best, least, answers = ways[0], float("inf"), list[Any]()
    for way in ways:
        for _ in range(2):  # the first time warms up
            found, began = [], time.perf_counter()
            for args in calls:
                found.append(way(*args))
                if time.perf_counter() - began > 0.2:
                    break
            took = (time.perf_counter() - began) / len(found)
            if undo is not None:
                for made in found:
                    undo(made)
        if undo is None:
            comparable = [sorted(answer) if isinstance(answer, list) else answer for answer in found]
            if any(one != two for one, two in zip(answers, comparable, strict=False)):
                raise AssertionError(f"{way} gives other answers than {ways[0]}")
            answers = max(answers, comparable, key=len)
        if took < least:
            best, least = way, took
    return best


class _Integers:
    """Shared by the peers that take integers and answer with ordinals."""

    does: frozenset[str] = frozenset()

    def window(self, span: Span) -> tuple[Any, Any]:
        """Turn a span into the peer's own keys."""
        return span

    def resource(self, ordinal: int) -> Any:
        """Turn an ordinal into what the peer calls a resource."""
        return ordinal

    def ordinals(self, answer: Any) -> list[int]:
        """Turn a list answer into ordinals, so that answers can be compared."""
        return [int(ordinal) for ordinal in answer]


class _Keyed(_Integers):
    """Shared by the Python peers that take any ordered key."""

    key: Callable[[int], Any] = int

    def window(self, span: Span) -> tuple[Any, Any]:
        return self.key(span[0]), self.key(span[1])


class SQLite(_Integers):
    """SQLite in memory, through ``sqlite3``: integer keys, one covering index on (resource, end, start)."""

    name = "SQLite"
    does = frozenset({"count", "list", "is_available", "book", "remove"})

    COUNTS: tuple[str, ...] = (
        """SELECT count(*) FROM resource r WHERE NOT EXISTS
           (SELECT 1 FROM booking b WHERE b.resource = r.id AND b.end > ?1 AND b.start < ?2)""",
        """SELECT (SELECT count(*) FROM resource) - count(DISTINCT resource)
           FROM booking WHERE end > ?1 AND start < ?2""",
    )
    LISTS: tuple[str, ...] = (
        """SELECT id FROM resource r WHERE NOT EXISTS
           (SELECT 1 FROM booking b WHERE b.resource = r.id AND b.end > ?1 AND b.start < ?2)""",
        "SELECT id FROM resource EXCEPT SELECT resource FROM booking WHERE end > ?1 AND start < ?2",
        """SELECT id FROM resource WHERE id NOT IN
           (SELECT resource FROM booking WHERE end > ?1 AND start < ?2)""",
    )
    CHECKS = (
        "SELECT 1 FROM booking WHERE resource = ?1 AND end > ?2 AND start < ?3 LIMIT 1",
        "SELECT EXISTS (SELECT 1 FROM booking WHERE resource = ?1 AND end > ?2 AND start < ?3)",
        "SELECT start < ?3 FROM booking WHERE resource = ?1 AND end > ?2 ORDER BY end LIMIT 1",
    )
    INSERT = "INSERT INTO booking (resource, start, end) VALUES (?1, ?2, ?3)"
    GUARDED: tuple[str, ...] = (
        """INSERT INTO booking (resource, start, end) SELECT ?1, ?2, ?3 WHERE NOT EXISTS
           (SELECT 1 FROM booking WHERE resource = ?1 AND end > ?2 AND start < ?3)""",
        """INSERT INTO booking (resource, start, end) SELECT ?1, ?2, ?3 WHERE NOT coalesce(
           (SELECT start < ?3 FROM booking WHERE resource = ?1 AND end > ?2 ORDER BY end LIMIT 1), 0)""",
    )

    def __init__(self) -> None:
        self.base = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
        self.run = self.base.execute
        self.count_available: Callable[[int, int], int] = self._counter(self.COUNTS[0])
        self.list_available: Callable[[int, int], list[int]] = self._lister(self.LISTS[0])
        self.is_available: Callable[[int, int, int], bool] = self._checker(self.CHECKS[0])
        self.book: Callable[[int, int, int], int | None] = self._pair(self.CHECKS[0])

    TABLES: tuple[str, ...] = (
        "CREATE TABLE resource (id INTEGER PRIMARY KEY)",
        """CREATE TABLE booking (id INTEGER PRIMARY KEY, resource INTEGER NOT NULL,
           start INTEGER NOT NULL, end INTEGER NOT NULL)""",
    )
    INDEX = "CREATE INDEX booking_span ON booking (resource, end, start)"

    def create(self, data: Dataset) -> None:
        """Make the resources, the index, and no booking; begin the one transaction that all bookings are made in."""
        for sql in (*self.TABLES, self.INDEX):
            self.run(sql)
        self.run("BEGIN")
        self.base.executemany("INSERT INTO resource VALUES (?)", ((ordinal,) for ordinal in range(data.resources)))

    def load(self, data: Dataset) -> None:
        for sql in self.TABLES:
            self.run(sql)
        self.run("BEGIN")
        self.base.executemany("INSERT INTO resource VALUES (?)", ((ordinal,) for ordinal in range(data.resources)))
        self.base.executemany(self.INSERT, iter(data.rows))
        self.run("COMMIT")
        self.run(self.INDEX)
        self.run("ANALYZE")

    def tune(self, spans: Sequence[Span], singles: Sequence[tuple[int, int, int]]) -> None:
        """Keep the fastest of several ways to ask and to write."""
        self.count_available = fastest([self._counter(sql) for sql in self.COUNTS], spans[:2])
        self.list_available = fastest([self._lister(sql) for sql in self.LISTS], spans[:2])
        self.is_available = fastest([self._checker(sql) for sql in self.CHECKS], singles[:2000])
        books = [self._pair(sql) for sql in self.CHECKS] + [self._guarded(sql) for sql in self.GUARDED]
        self.book = fastest(books, singles[:2000], undo=self.remove)

    def _counter(self, sql: str) -> Callable[[int, int], int]:
        run = self.run

        def count(start: int, end: int) -> int:
            found: int = run(sql, (start, end)).fetchone()[0]
            return found

        return count

    def _lister(self, sql: str) -> Callable[[int, int], list[int]]:
        run = self.run

        def ids(start: int, end: int) -> list[int]:
            return [row[0] for row in run(sql, (start, end))]

        return ids

    def _checker(self, sql: str) -> Callable[[int, int, int], bool]:
        run = self.run

        def free(resource: int, start: int, end: int) -> bool:
            row = run(sql, (resource, start, end)).fetchone()
            return row is None or not row[0]

        return free

    def _pair(self, sql: str) -> Callable[[int, int, int], int | None]:
        run, insert = self.run, self.INSERT

        def book(resource: int, start: int, end: int) -> int | None:
            span = (resource, start, end)
            row = run(sql, span).fetchone()
            if row is not None and row[0]:
                return None
            return run(insert, span).lastrowid

        return book

    def _guarded(self, sql: str) -> Callable[[int, int, int], int | None]:
        run = self.run

        def book(resource: int, start: int, end: int) -> int | None:
            cursor = run(sql, (resource, start, end))
            return cursor.lastrowid if cursor.rowcount else None

        return book

    def remove(self, number: int) -> None:
        self.run("DELETE FROM booking WHERE id = ?", (number,))


class SQLiteLookup(SQLite):
    """SQLite for an expert: one look-up a resource.

    Of disjoint bookings, the first to end after ``?1`` is the first to start, so it alone decides. Shown beside
    the plain form; the targets are set against the plain one.
    """

    name = "SQLite, one look-up each"
    does = frozenset({"count", "list"})
    COUNTS = (
        """SELECT count(*) FROM resource r WHERE coalesce((SELECT start FROM booking b
           WHERE b.resource = r.id AND b.end > ?1 ORDER BY b.end LIMIT 1) >= ?2, 1)""",
    )
    LISTS = (
        """SELECT id FROM resource r WHERE coalesce((SELECT start FROM booking b
           WHERE b.resource = r.id AND b.end > ?1 ORDER BY b.end LIMIT 1) >= ?2, 1)""",
    )

    def tune(self, spans: Sequence[Span], singles: Sequence[tuple[int, int, int]]) -> None:
        """There is one way only."""


class DuckDB(_Integers):
    """DuckDB in memory: columns and two threads, no index (it has none that serves a range)."""

    name = "DuckDB"
    does = frozenset({"count", "list", "is_available", "book", "remove"})

    def __init__(self) -> None:
        self.base = _module("duckdb").connect(":memory:")
        self.run = self.base.execute
        self.number = 0

    def load(self, data: Dataset) -> None:
        numpy = _module("numpy")  # DuckDB reads NumPy arrays by name; row-wise insertion would take minutes
        ids = numpy.arange(data.resources, dtype=numpy.int64)
        frame = {
            "resource": numpy.frombuffer(data.rows.ordinal, dtype=numpy.int64),
            "start": numpy.frombuffer(data.rows.start, dtype=numpy.int64),
            "end": numpy.frombuffer(data.rows.end, dtype=numpy.int64),
            "id": numpy.arange(len(data), dtype=numpy.int64),
        }
        self.base.register("incoming_resource", {"id": ids})
        self.base.register("incoming_booking", frame)
        self.run("CREATE TABLE resource AS SELECT id FROM incoming_resource")
        self.run('CREATE TABLE booking AS SELECT id, resource, start, "end" FROM incoming_booking')
        self.base.unregister("incoming_resource")
        self.base.unregister("incoming_booking")
        self.number = len(data)

    def count_available(self, start: int, end: int) -> int:
        sql = (
            "SELECT (SELECT count(*) FROM resource) - count(DISTINCT resource)"
            ' FROM booking WHERE start < ? AND "end" > ?'
        )
        found: int = self.run(sql, (end, start)).fetchone()[0]
        return found

    def list_available(self, start: int, end: int) -> list[int]:
        sql = (
            'SELECT id FROM resource ANTI JOIN booking ON resource = resource.id AND start < ? AND "end" > ?'
        )
        found: list[int] = self.run(sql, (end, start)).fetchnumpy()["id"].tolist()
        return found

    def is_available(self, resource: int, start: int, end: int) -> bool:
        sql = 'SELECT 1 FROM booking WHERE resource = ? AND start < ? AND "end" > ? LIMIT 1'
        return self.run(sql, (resource, end, start)).fetchone() is None

    def book(self, resource: int, start: int, end: int) -> int | None:
        if not self.is_available(resource, start, end):
            return None
        self.number += 1
        self.run("INSERT INTO booking VALUES (?, ?, ?, ?)", (self.number, resource, start, end))
        return self.number

    def remove(self, number: int) -> None:
        self.run("DELETE FROM booking WHERE id = ?", (number,))


def peer(name: str) -> Any:
    """Make the named peer; ``MissingError`` says why it cannot be."""
    module, _, cls = PEERS[name].partition(":")
    return getattr(importlib.import_module(module), cls)()


#: name -> where it is; imported when asked for, since some import NumPy
PEERS = {
    "SQLite": "benchmarks.peers:SQLite",
    "SQLite, one look-up each": "benchmarks.peers:SQLiteLookup",
    "DuckDB": "benchmarks.peers:DuckDB",
    "NCLS": "benchmarks.peers_index:Ncls",
    "superintervals": "benchmarks.peers_index:SuperIntervals",
    "pyroaring": "benchmarks.peers_index:RoaringBitmaps",
    "sorted NumPy arrays": "benchmarks.peers_index:SortedArrays",
    "intervaltree": "benchmarks.peers_index:IntervalTrees",
    "intervaltree, one tree": "benchmarks.peers_index:OneIntervalTree",
    "two sorted maps": "benchmarks.peers_index:TwoSortedMaps",
}
