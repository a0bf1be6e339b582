"""Every bad row is named by line and reason, every bad file refused whole, and good rows are unharmed."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.errors import BookcoreError, QueryError
from bookcore.tables import (
    BadRow,
    ColumnError,
    DateFormatError,
    DelimiterError,
    KeyKind,
    Reason,
    Row,
    TableError,
    UnclearKeysError,
    read_csv,
)

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

HEAD = "resource,start,end,id\n"


def write(path: Path, text: str | bytes) -> Path:
    """Write a file and return its path."""
    file = path / "table.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def read(path: Path, text: str | bytes, **options: object) -> list[Row | BadRow]:
    """Return all rows of a file that holds *text*."""
    with read_csv(write(path, text), **options) as table:  # type: ignore[arg-type]
        return list(table)


def test_good_rows_come_in_order_with_their_lines(tmp_path: Path) -> None:
    """Blank lines are passed over but counted; a missing id is None."""
    rows = read(tmp_path, HEAD + "loft,1,5,a\n\n  \nattic,2,3,\n")
    assert rows == [Row(2, "loft", 1, 5, "a"), Row(5, "attic", 2, 3, None)]


BAD = [
    ("loft,,5,x", Reason.NO_START, "loft"),
    ("loft,5,,x", Reason.NO_END, "loft"),
    ("loft,NULL,NaN,x", Reason.NO_SPAN, "loft"),
    (",1,5,x", Reason.NO_RESOURCE, "missing"),
    ("loft,5,1,x", Reason.REVERSED, "5 to 1"),
    ("loft,5,5,x", Reason.EMPTY, "5 to 5"),
    ("loft,soon,5,x", Reason.UNREADABLE, "start 'soon' is not a whole number like 42"),
    ("loft,1,later,x", Reason.UNREADABLE, "end 'later'"),
    ("loft,1,5", Reason.COLUMNS, "3 columns, the line of names has 4"),
    ("loft,1,5,x,y", Reason.COLUMNS, "5 columns"),
    ('loft,1,5,"x"y', Reason.QUOTES, "expected after"),
    (b"l\xf6ft,1,5,x", Reason.NOT_TEXT, "b'l\\xf6ft' is not utf-8"),
    (b"loft,1,5,\xff", Reason.NOT_TEXT, "b'\\xff'"),
    (b"loft,\xff,5,x", Reason.NOT_TEXT, "utf-8"),
]


@pytest.mark.parametrize(("line", "reason", "detail"), BAD)
def test_bad_row_is_named_and_its_neighbours_are_read(
    tmp_path: Path, line: str | bytes, reason: Reason, detail: str
) -> None:
    """One bad row between two good ones: its line, its reason, and nothing else lost."""
    middle = line if isinstance(line, bytes) else line.encode()
    first, bad, last = read(tmp_path, b"resource,start,end,id\nloft,1,2,a\n" + middle + b"\nloft,7,9,b\n")
    assert first == Row(2, "loft", 1, 2, "a")
    assert last == Row(4, "loft", 7, 9, "b")
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.reason) == (3, reason)
    assert detail in bad.detail
    assert str(bad).startswith(f"line 3: {reason}: ")


def test_mixed_zones_are_bad_rows(tmp_path: Path) -> None:
    """The minority is refused, whichever it is."""
    zoned, naive = "loft,2026-07-04T09:00Z,2026-07-04T10:00Z,", "loft,2026-07-04T09:00,2026-07-04T10:00,"
    for lines, bad in (((zoned, naive, zoned), 3), ((naive, naive, zoned), 4)):
        rows = read(tmp_path, HEAD + "\n".join(lines))
        assert [(row.line, row.reason) for row in rows if isinstance(row, BadRow)] == [
            (bad, Reason.MIXED_ZONES)
        ]


def test_zones_may_differ_where_all_have_one(tmp_path: Path) -> None:
    """They are instants, compared as such."""
    (row,) = read(tmp_path, HEAD + "loft,2026-07-04T09:00+02:00,2026-07-04T08:00Z,")
    assert isinstance(row, Row)
    assert row.start == datetime(2026, 7, 4, 7, tzinfo=UTC)


def test_dates_are_dates_and_equal_cells_share_a_key(tmp_path: Path) -> None:
    """An end that is the next start is the same object."""
    one, two = read(tmp_path, HEAD + "a,2026-07-01,2026-07-02,\na,2026-07-02,2026-07-03,")
    assert isinstance(one, Row)
    assert isinstance(two, Row)
    assert one.start == date(2026, 7, 1)
    assert one.end is two.start


def test_closed_bounds_allow_a_span_of_one_point(tmp_path: Path) -> None:
    """A rental of one day, with the day as both start and end."""
    assert read(tmp_path, HEAD + "a,2026-07-01,2026-07-01,", bounds="[]")[0].line == 2
    assert isinstance(read(tmp_path, HEAD + "a,2026-07-01,2026-07-01,", bounds="[]")[0], Row)


def test_open_ends_are_unbounded_when_allowed(tmp_path: Path) -> None:
    """None, as the calendar has it."""
    rows = read(tmp_path, HEAD + "a,,5,\na,6,null,", open_ends=True)
    assert rows == [Row(2, "a", None, 5, None), Row(3, "a", 6, None, None)]


def test_null_words_are_text_among_text(tmp_path: Path) -> None:
    """Where keys are text, ``na`` is a key like any other; an empty cell is still missing."""
    rows = read(tmp_path, HEAD + "a,alpha,na,\na,,beta,")
    assert rows[0] == Row(2, "a", "alpha", "na", None)
    assert isinstance(rows[1], BadRow)
    assert rows[1].reason is Reason.NO_START


def test_quoted_line_breaks_count_as_lines(tmp_path: Path) -> None:
    """A record is named by the line where it starts, and those after it are still right."""
    rows = read(tmp_path, HEAD + '"lo\nft",1,2,a\n"at\r\ntic",3\nloft,5,4,b\n')
    assert rows[0] == Row(2, "lo\nft", 1, 2, "a")
    assert [(row.line, row.reason) for row in rows[1:] if isinstance(row, BadRow)] == [
        (4, Reason.COLUMNS),
        (6, Reason.REVERSED),
    ]


def test_quote_left_open_says_which_lines_are_lost(tmp_path: Path) -> None:
    """It swallows the rest of the file; silently it must not."""
    rows = read(tmp_path, HEAD + 'loft,1,2,a\nloft,3,4,"b\nloft,5,6,c\nloft,7,8,d\n')
    assert rows[0] == Row(2, "loft", 1, 2, "a")
    (bad,) = rows[1:]
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.reason) == (3, Reason.QUOTES)
    assert "lines 3 to 5 are lost" in bad.detail


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiter_is_found_by_the_columns(tmp_path: Path, mark: str) -> None:
    """The one under which the columns are there."""
    assert read(tmp_path, (HEAD + "loft,1,2,a\n").replace(",", mark)) == [Row(2, "loft", 1, 2, "a")]


def test_delimiter_is_not_taken_from_within_a_name(tmp_path: Path) -> None:
    """More commas than semicolons in the first line do not make the comma the delimiter."""
    rows = read(tmp_path, "a,b,c,d,e,f;resource;start;end\n1,2;loft;1;2\n")
    assert rows == [Row(2, "loft", 1, 2, None)]


def test_columns_can_be_named_and_have_aliases(tmp_path: Path) -> None:
    """Names given win; without, resource_id and booking_id will do; other columns do not matter."""
    text = "booking_id,until,note,resource_id,start\nx,5,hi,loft,1\n"
    assert read(tmp_path, text, end="until") == [Row(2, "loft", 1, 5, "x")]
    assert read(tmp_path, text, end="until", resource="note", id="resource_id") == [
        Row(2, "hi", 1, 5, "loft")
    ]


def test_unknown_column_lists_those_there_are(tmp_path: Path) -> None:
    """With names, and what they were wanted as."""
    with pytest.raises(ColumnError, match="'room', 'from', 'to'") as caught:
        read(tmp_path, "room;from;to\nloft;1;2\n", end="to")
    assert caught.value.columns == ("room", "from", "to")
    assert caught.value.roles == ("resource", "start")
    assert caught.value.missing == ("resource", "start")


def test_quantity_is_read_if_there_is_a_column_of_it(tmp_path: Path) -> None:
    """A whole number of at least 1; nothing stands for 1; what is no such number is a bad row."""
    text = "resource,start,end,Quantity\npool,1,5,3\npool,1,5,\npool,1,5,2.0\npool,1,5,0\npool,1,5,1.5\npool,1,5,x\n"
    rows = read(tmp_path, text)
    assert rows[:3] == [Row(2, "pool", 1, 5, None, 3), Row(3, "pool", 1, 5, None), Row(4, "pool", 1, 5, None, 2)]
    assert [(bad.line, bad.reason) for bad in rows[3:] if isinstance(bad, BadRow)] == [
        (5, Reason.QUANTITY), (6, Reason.QUANTITY), (7, Reason.QUANTITY)
    ]  # fmt: skip
    assert str(rows[5]) == "line 7: no quantity: 'x' is not a whole number of at least 1"
    assert read(tmp_path, "resource,start,end,seats\nbus,1,5,4\n", quantity="seats") == [Row(2, "bus", 1, 5, None, 4)]
    with pytest.raises(ColumnError):
        read(tmp_path, text, quantity="seats")


def test_id_column_asked_for_must_be_there(tmp_path: Path) -> None:
    """Without being asked for, it need not."""
    text = "resource,start,end\nloft,1,2\n"
    assert read(tmp_path, text) == [Row(2, "loft", 1, 2, None)]
    with pytest.raises(ColumnError):
        read(tmp_path, text, id="id")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"\xff\xfer\x00e\x00", "UTF-16"),
        (b"PK\x03\x04xxxx", "spreadsheet"),
        (b"resource,start\x00,end\n", "zero bytes"),
        (bytes(range(128, 256)) + b"\n", "no text in this encoding"),
        (b"\x1f\x8bnot really gzip", "gzip"),
        (b"resource,start,end,start\n", "2 columns named 'start'"),
    ],
)
def test_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """As a whole, with the file's name, before any row."""
    with pytest.raises(TableError, match=says) as caught:
        read(tmp_path, content)
    assert "table.csv" in str(caught.value)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    """Each in its own words."""
    with pytest.raises(TableError, match="no such file"):
        read_csv(tmp_path / "nothing.csv")
    with pytest.raises(TableError, match="folder"):
        read_csv(tmp_path)
    with pytest.raises(TableError, match="cannot be opened"):
        read_csv("nul\0byte.csv")


def test_unknown_encoding_and_long_delimiter_are_refused(tmp_path: Path) -> None:
    """Options are checked like contents."""
    for encoding in ("klingon", "\udc80", "utf\0", ""):
        with pytest.raises(TableError, match="no encoding"):
            read(tmp_path, HEAD, encoding=encoding)
    with pytest.raises(TableError, match="one character"):
        read(tmp_path, HEAD, delimiter="::")


def test_other_encodings_are_read_when_named(tmp_path: Path) -> None:
    """Latin-1, UTF-16, and UTF-8 with a mark at the start."""
    text = HEAD + "Café,1,2,a\n"
    for content, encoding in ((text.encode("latin-1"), "latin-1"), (text.encode("utf-16"), "utf-16")):
        assert read(tmp_path, content, encoding=encoding) == [Row(2, "Café", 1, 2, "a")]
    assert read(tmp_path, text.encode("utf-8-sig")) == [Row(2, "Café", 1, 2, "a")]


def test_gzip_is_read_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    """What was read before the cut was good; that more is missing must be known."""
    packed = gzip.compress((HEAD + "".join(f"loft,{n},{n + 1},{n * 7919}\n" for n in range(5000))).encode())
    assert len(read(tmp_path, packed)) == 5000
    with pytest.raises(TableError, match="reading failed"):
        read(tmp_path, packed[: len(packed) // 2])


def test_keys_can_be_named(tmp_path: Path) -> None:
    """Then nothing is guessed: numbers can be text."""
    assert read(tmp_path, HEAD + "loft,10,9,a", keys="text") == [Row(2, "loft", "10", "9", "a")]
    with read_csv(write(tmp_path, HEAD), keys=KeyKind.INT) as table:
        assert table.keys.kind is KeyKind.INT


def test_size_and_position_grow_to_the_end(tmp_path: Path) -> None:
    """For a progress bar."""
    file = write(tmp_path, HEAD + "loft,1,2,a\n" * 20000)
    with read_csv(file) as table:
        begun = table.position
        list(table)
        assert 0 < begun < table.position == table.size == file.stat().st_size


@settings(max_examples=MOST * 3)
@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_an_error_of_ours(tmp_path: Path, noise: bytes) -> None:
    """After a good head or none: rows, bad rows, or a `BookcoreError`."""
    for content in (noise, HEAD.encode() + noise):
        try:
            rows = read(tmp_path, content)
        except BookcoreError:
            continue
        assert all(isinstance(row, Row | BadRow) for row in rows)
        assert [row.line for row in rows] == sorted(row.line for row in rows)


def test_open_files_are_read_and_left_open() -> None:
    """Of bytes and of text, with a mark at the start, gzipped, or that cannot be rewound."""
    text = HEAD + "Café,1,2,a\n"
    wanted = [Row(2, "Café", 1, 2, "a")]

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

    for file in (
        io.BytesIO(text.encode()), io.BytesIO(gzip.compress(text.encode())), io.StringIO(text), io.StringIO("\ufeff" + text),
        Pipe(text.encode()), io.TextIOWrapper(io.BytesIO(text.encode("latin-1")), encoding="latin-1"),
    ):  # fmt: skip
        with read_csv(file, encoding="utf-8") as table:
            assert list(table) == wanted
            assert (table.size, table.keys.kind) == (0, KeyKind.INT)
        assert not file.closed


def test_open_file_is_read_from_where_it_stands_and_names_itself(tmp_path: Path) -> None:
    """A first line that is not the table's can be taken off."""
    file = write(tmp_path, "made by hand\n" + HEAD + "loft,1,2,a\n" * 3000)
    for mode in ("r", "rb"):
        with file.open(mode) as stream:
            stream.readline()
            with read_csv(stream) as table:
                assert table.path == file
                assert len(list(table)) == 3000
                assert table.position > 30_000


@pytest.mark.parametrize("source", [None, 3, b"table.csv", ["a"], object()])
def test_what_is_no_table_is_an_error_of_ours(source: object) -> None:
    """Nothing is opened by its number, or by accident."""
    with pytest.raises(TableError, match="a path or an open file"):
        read_csv(source)  # type: ignore[arg-type]


def test_file_that_is_closed_or_only_written_is_refused(tmp_path: Path) -> None:
    """In words of ours."""
    file = write(tmp_path, HEAD)
    with file.open("ab") as stream, pytest.raises(TableError, match="cannot be opened"):
        read_csv(stream)
    with pytest.raises(TableError, match="cannot be opened"):
        read_csv(stream)
    with pytest.raises(TableError, match="an open file: the file is empty"):
        read_csv(io.BytesIO())


def test_capitals_in_names_do_not_matter_unless_they_must(tmp_path: Path) -> None:
    """An exact name wins; two that differ in capitals alone are none."""
    assert read(tmp_path, "Resource,START,End,ID\nloft,1,2,a\n") == [Row(2, "loft", 1, 2, "a")]
    assert read(tmp_path, "Start,start,resource,end\n1,2,loft,5\n") == [Row(2, "loft", 2, 5, None)]
    assert read(tmp_path, "Booking_ID,resource,start,end\nx,loft,1,2\n") == [Row(2, "loft", 1, 2, "x")]
    with pytest.raises(ColumnError):
        read(tmp_path, "Start,START,resource,end\n1,2,loft,5\n")


def test_long_field_is_told_from_broken_quotes(tmp_path: Path) -> None:
    """On one line it is too long; over many, a quote was left open."""
    long = "x" * 140_000
    bad, good = read(tmp_path, HEAD + f"{long},1,2,a\nloft,1,2,b\n")
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.reason, bad.detail) == (2, Reason.TOO_LONG, "a field has more than 131,072 characters")
    assert good == Row(3, "loft", 1, 2, "b")
    first, *_ = read(tmp_path, HEAD + 'loft,1,2,"b\n' + "loft,1,2,b\n" * 20_000)
    assert isinstance(first, BadRow)
    assert first.reason is Reason.QUOTES
    assert "a quote was left open" in first.detail


def test_delimiter_named_wrongly_is_told_with_the_likely_one(tmp_path: Path) -> None:
    """Where another finds more of the columns, or at least more columns."""
    with pytest.raises(DelimiterError) as caught:
        read(tmp_path, HEAD, delimiter=";")
    assert (caught.value.delimiter, caught.value.likely) == (";", ",")
    with pytest.raises(DelimiterError):
        read(tmp_path, "room,from,to\n", delimiter=";")
    with pytest.raises(ColumnError):
        read(tmp_path, "room;from;to\n", delimiter=";")


def test_number_with_a_comma_is_unclear_or_a_bad_row(tmp_path: Path) -> None:
    """By what the others are; as text if that is asked for."""
    text = "resource;start;end\nloft;9,5;10,5\n"
    with pytest.raises(UnclearKeysError, match="'9,5'") as caught:
        read(tmp_path, text)
    assert caught.value.is_number
    assert read(tmp_path, text.replace("9,5", "09,5"), keys="text") == [Row(2, "loft", "09,5", "10,5", None)]
    good, bad = read(tmp_path, "resource;start;end\nloft;9;10\nloft;11;12,5\n")
    assert good == Row(2, "loft", 9, 10, None)
    assert isinstance(bad, BadRow)
    assert "comma" in bad.detail


@pytest.mark.parametrize(
    "argument",
    [{"keys": "days"}, {"keys": "other"}, {"keys": 5}, {"bounds": "()"}, {"date_format": 5}, {"start": 5}, {"delimiter": 5}],
    ids=str,
)
def test_argument_that_is_none_is_refused(tmp_path: Path, argument: dict[str, object]) -> None:
    """As an error of ours, with the argument; before the file is opened."""
    with pytest.raises(QueryError) as caught:
        read_csv(tmp_path / "no such file", **argument)  # type: ignore[arg-type]
    assert caught.value.term in argument.values()


@pytest.mark.parametrize(("keys", "form"), [("date", "%d.%m.%Y %H:%M"), ("datetime", "%d.%m.%Y"), ("int", "%d.%m.%Y")])
def test_kind_of_keys_and_a_format_of_another_are_refused(tmp_path: Path, keys: str, form: str) -> None:
    """Either would overrule the other unseen."""
    with pytest.raises(DateFormatError, match="are said to be") as caught:
        read(tmp_path, HEAD, keys=keys, date_format=form)
    assert caught.value.date_format == form
    assert read(tmp_path, HEAD + "loft,4.7.2026,5.7.2026,a\n", keys="date", date_format="%d.%m.%Y") == [
        Row(2, "loft", date(2026, 7, 4), date(2026, 7, 5), "a")
    ]
