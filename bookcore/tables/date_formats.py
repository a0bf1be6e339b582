"""Which `strptime` formats read all of some dates and times that are not ISO 8601.

    cells      28/07/2026 9:30     4/8/2026 14:00
    shape      the parts between punctuation, by which a cell says which formats are possible:
               number / number / number of four digits, a time without seconds
    formats    %d/%m/%Y %H:%M      reads both
               %m/%d/%Y %H:%M      does not read the first: there is no month 28

A format is proposed if it reads every cell, or, where none does because some are mistyped, most of them. If two do, as for
4/7/2026, only the owner of the file knows which is meant, and both are named with what they read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice, product

_CELL = re.compile(
    r"(?P<weekday>[A-Za-z]{3,9},?\s+)?"
    r"(?:(?P<first>[0-9]{1,4})(?P<sep>[/.\-])(?P<second>[0-9]{1,2})(?P=sep)(?P<third>[0-9]{1,4})"
    r"|(?P<day>[0-9]{1,2})(?P<one>[ \-./])(?P<name>[A-Za-z]{3,9})(?P<two>,? |[\-./])(?P<year>[0-9]{2,4})"
    r"|(?P<name_us>[A-Za-z]{3,9}) (?P<day_us>[0-9]{1,2})(?P<comma>,? )(?P<year_us>[0-9]{4}))"
    r"(?:(?P<between>[ T]|, )(?P<hour>[0-9]{1,2})"
    r"(?:(?P<colon>[:.])[0-9]{2}(?P<seconds>(?P=colon)[0-9]{2})?(?P<fraction>\.[0-9]{1,6})?|(?=\s?[AaPp]))"
    r"(?P<half>\s?(?:[AaPp][Mm]|[AaPp]\.\s?[Mm]\.))?(?P<zone> ?(?:Z|[+-][0-9]{2}:?[0-9]{2}))?)?"
)
_HALF = re.compile(r"(?<=[0-9\s])([AaPp])\.\s?[Mm]\.")
_MANY = 10_000  # the cells that are read in order to decide
_CLEARLY = 10  # times as many cells must a format miss as another does, to be ruled out by them


def formats_of(cells: Iterable[str]) -> tuple[str, ...]:
    """Return the formats of `datetime.strptime` that read every one of some cells, the day before the month first.

    If no format that is known does, the one that reads most of them, if that is at least half; and with it each other that
    reads half and misses less than ten times as many, because then the cells do not decide which is meant. All that are
    returned read at least one cell in common. Empty if there are none.
    Complexity: O(cells), of which the first 10,000 are read.

    >>> formats_of(["04/07/2026", "28/07/2026"]), formats_of(["7/4/26 9:30 PM"])
    (('%d/%m/%Y',), ('%d/%m/%y %I:%M %p', '%m/%d/%y %I:%M %p'))
    >>> formats_of(["28/07/2026", "29/07/2026", "32/07/2026"])
    ('%d/%m/%Y',)
    """
    counts = Counter(islice(cells, _MANY))
    possible: Counter[str] = Counter()
    for cell, many in counts.items():
        for form in _possible(cell):
            possible[form] += many
    return _best(counts, [form for form, many in possible.items() if 2 * many >= counts.total()])


def compact_formats_of(cells: Iterable[str]) -> tuple[str, ...]:
    """Return the formats of some cells of eight digits that end with a year of the last or this century, as `formats_of`.

    >>> compact_formats_of(["04072026", "28072026"])
    ('%d%m%Y',)
    """
    counts = Counter(cell if cell[4:6] in ("19", "20") else "" for cell in cells)
    return _best(counts, ["%d%m%Y", "%m%d%Y"])


def _best(cells: Counter[str], forms: list[str]) -> tuple[str, ...]:
    """Return those of some formats that read every cell, or most, by the rules of `formats_of`."""
    missed = {form: sum(many for cell, many in cells.items() if not reads(form, cell)) for form in forms}
    missed = {form: many for form, many in missed.items() if 2 * many <= cells.total()}
    least = min(missed.values(), default=0)
    left = [form for form, many in missed.items() if many == least or many < _CLEARLY * least]
    # "May" is both a short and a full name, and the same month
    order = sorted(left, key=lambda form: (missed[form], "%B" in form))
    names = {form.replace("%B", "%b"): form for form in reversed(order)}
    left = [form for form in left if form in names.values()]
    if len(left) > 1 and (first := [form for form in left if form.startswith("%y")]):
        # a year of two digits in the first place: the years of a file are few
        others = [form for form in left if form not in first]
        if others and _years(first[0], cells) >= min(_years(form, cells) for form in others):
            left = others
    return tuple(left) if any(all(reads(form, cell) for form in left) for cell in cells) else ()


def _years(form: str, cells: Iterable[str]) -> int:
    """Return how many years a format reads in some cells."""
    return len({parse(cell, form).year for cell in cells if reads(form, cell)})


def readings(cell: str, formats: Iterable[str]) -> str:
    """Return what each of some formats reads in a cell, for a message.

    >>> readings("04/07/2026", ["%d/%m/%Y", "%m/%d/%Y"])
    "'04/07/2026' is 4 July 2026 with '%d/%m/%Y' and 7 April 2026 with '%m/%d/%Y'"
    """
    parts = []
    for form in formats:
        read = parse(cell, form)
        parts.append(f"{read.day} {_MONTHS[read.month - 1]} {read.year} with '{form}'")
    return f"'{cell}' is {' and '.join(parts)}"


def parse(cell: str, form: str) -> datetime:
    """Return what a format of `datetime.strptime` reads; ``%p`` reads a.m. and p.m. with points as well. Raises: ValueError.

    >>> parse("4.7.2026 9:30 p.m.", "%d.%m.%Y %I:%M %p")
    datetime.datetime(2026, 7, 4, 21, 30)
    """
    return datetime.strptime(_HALF.sub(r"\1m", cell) if "%p" in form else cell, form)


def reads(form: str, cell: str) -> bool:
    """Return whether a format reads a cell.

    >>> reads("%d.%m.%Y", "32.7.2026")
    False
    """
    try:
        parse(cell, form)
    except ValueError:
        return False
    return True


def is_date(cell: str) -> bool:
    """Return whether a cell has the shape of a date, or of a date with a time.

    >>> is_date("4 Jul 2026"), is_date("4 flats")
    (True, False)
    """
    return any(reads(form, cell) for form in _possible(cell))


def _possible(cell: str) -> Iterator[str]:
    """Yield the formats that the shape of a cell allows."""
    match = _CELL.fullmatch(cell)
    if match is None:
        return
    part = match.groupdict()
    days: list[str] = []
    if part["sep"]:
        sep, year = part["sep"], "%Y" if len(part["third"]) == 4 else "%y"
        if len(part["first"]) > 2:
            days = [f"%Y{sep}%m{sep}%d"]
        else:
            days = [f"%d{sep}%m{sep}{year}", f"%m{sep}%d{sep}{year}"]
            if year == "%y":
                days.append(f"%y{sep}%m{sep}%d")
    elif part["name"]:
        year = "%Y" if len(part["year"]) == 4 else "%y"
        days = [f"%d{part['one']}{name}{part['two']}{year}" for name in ("%b", "%B")]
    else:
        days = [f"{name} %d{part['comma']}%Y" for name in ("%b", "%B")]
    weekdays = [""]
    if part["weekday"]:
        gap = part["weekday"].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        weekdays = [f"%a{gap}", f"%A{gap}"]
    for weekday, day in product(weekdays, days):
        yield weekday + day + _time(part)


def _time(part: dict[str, str | None]) -> str:
    """Return the format of the time of day in a cell, with what parts it from the date."""
    if part["between"] is None:
        return ""
    colon = part["colon"]
    form = f"{part['between']}{'%I' if part['half'] else '%H'}"
    if colon:
        form += f"{colon}%M"
    if part["seconds"]:
        form += f"{colon}%S"
    if part["fraction"]:
        form += ".%f"
    if part["half"]:
        form += " %p" if part["half"][0].isspace() else "%p"
    if part["zone"]:
        form += " %z" if part["zone"][0] == " " else "%z"
    return form


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
