"""No encoding, pipe or full disk ends in a traceback, and a stream is read as a file is."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from bookcore import Calendar, ConflictError, Resource
from bookcore.cli import sources
from bookcore.model.errors import visible
from bookcore.tables import BadRow, fill, read_csv

Run = Callable[..., Result]
Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]

NAMES = "resource,start,end\n東京,1,5\n大阪,2,6\nCafé,3,4\n"
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_name_outside_the_encoding_is_written_otherwise(shell: Shell, tmp_path: Path, encoding: str) -> None:
    """Two names stay two names."""
    (tmp_path / "names.csv").write_text(NAMES, encoding="utf-8")
    environment = {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0"}
    found = shell("$bookcore available names.csv 8 9", **environment)
    assert (found.returncode, found.stderr) == (0, b"")
    cafe = b"Caf\\xe9" if encoding == "ascii" else "Café".encode(encoding)
    assert found.stdout.splitlines() == [b"\\u6771\\u4eac", b"\\u5927\\u962a", cafe]
    found = shell("$bookcore why names.csv 東京 1 9", **environment)
    assert found.returncode in (0, 2)  # under LC_ALL=C the argument itself may come in as other text
    assert b"Traceback" not in found.stderr
    assert shell("$bookcore load --help", **environment).returncode == 0


@needs_full
def test_full_disk_is_one_line_and_exit_code_one(shell: Shell, good: Path) -> None:
    """Whichever of the outputs it is; whatever is printed."""
    for words in ("load good.csv", "available good.csv 2027-01-01 2027-01-02 --json", "--help", "--version"):
        found = shell(f"$bookcore {words} > /dev/full")
        assert found.returncode == 1, words
        assert found.stderr == b"bookcore: cannot write the output (No space left on device)\n", words
    found = shell("$bookcore load nothing.csv 2> /dev/full")
    assert (found.returncode, found.stderr) == (1, b"")


def test_closed_pipe_ends_it_as_it_ends_other_tools(shell: Shell, tmp_path: Path) -> None:
    """By the signal, silently: 141 in a shell."""
    rows = "".join(f"a resource with a long name {n},1,2\n" for n in range(20_000))
    (tmp_path / "many.csv").write_text("resource,start,end\n" + rows)
    found = shell("$bookcore available many.csv 5 6 | head -n 1; echo ${PIPESTATUS[0]}")
    assert found.stdout == b"a resource with a long name 0\n141\n"
    assert found.stderr == b""


def test_control_characters_are_shown_and_not_sent(run: Run, tmp_path: Path) -> None:
    """In every place where a name of the file's is printed; JSON has its own way."""
    file = tmp_path / "evil.csv"
    file.write_text('resource,start,end,id\nlo\x1b[31mft,1,5,"a\nb"\n"att\tic",7,9,\u202eb\nloft,z\x9b,1,c\n')
    out = run("available", file, "10", "11").stdout
    assert out == "lo\\x1b[31mft\natt\\tic\n"
    out = run("why", file, "lo\x1b[31mft", "1", "2").stdout
    assert out.splitlines()[:2] == [
        "lo\\x1b[31mft is not available from 1 to 2", "booking\ta\\nb\t1\t5",
    ]  # fmt: skip
    for words in (["load", file], ["why", file, "att\tic", "7", "8"], ["why", file, "\x1b[2J", "7", "8"]):
        found = run(*words)
        assert not set("\x1b\x9b\u202e") & set(found.stdout + found.stderr)
    assert visible("Zoë 東京") == "Zoë 東京"


def test_standard_input_is_read_as_a_file_is(run: Run, good: Path, tmp_path: Path) -> None:
    """As ``-``, for every command, a snapshot as well as a CSV."""
    assert run("load", "-", stdin=good.read_bytes()).stdout == (
        "3 bookings of 2 resources from standard input; starts and ends are dates\n"
    )
    saved = tmp_path / "saved.bks"
    run("load", "-", "--save", saved, stdin=good.read_bytes())
    for content in (good.read_bytes(), saved.read_bytes()):
        assert run("available", "-", "2026-07-01", "-", stdin=content).stdout == ""
        assert run("available", "-", "2026-07-04", "2026-07-05", stdin=content).stdout == "attic\n"
        assert "not available" in run("why", "-", "loft", "-", "2026-07-05", stdin=content).stdout
    found = run("load", "-", stdin=b"room,start,end\n1,2,3\n")
    assert found.exit_code == 2
    assert found.stderr.startswith("bookcore: standard input: there is no column 'resource'")
    found = run("available", "-", "1", "2", stdin=saved.read_bytes()[:-9])
    assert found.exit_code == 2
    assert "snapshot standard input" in found.stderr


def test_pipes_of_a_shell_are_read_whole(shell: Shell, good: Path) -> None:
    """However they are named."""
    for line in (
        "cat good.csv | $bookcore load /dev/stdin",
        "$bookcore load <(cat good.csv)",
        "$bookcore load - < good.csv",
    ):
        found = shell(line)
        assert (found.returncode, found.stderr) == (0, b""), line
        assert found.stdout.startswith(b"3 bookings of 2 resources from "), line
    found = shell("$bookcore load /dev/null")
    assert found.returncode == 2
    assert b"/dev/null: the file is empty" in found.stderr


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero")
def test_a_stream_that_never_ends_is_refused(run: Run, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit, before the disk is full; a stream of that length is read."""
    size = good.stat().st_size
    monkeypatch.setattr(sources, "LONGEST", size)
    for words in (("load", "/dev/zero"), ("available", "/dev/zero", "1", "2"), ("why", "/dev/zero", "a", "1", "2")):
        found = run(*words)
        assert (found.exit_code, found.stdout) == (2, "")
        assert f"/dev/zero: more than {size} bytes, which is all that is read of a stream; save it as a file" in found.stderr
    assert run("load", "-", stdin=good.read_bytes()).exit_code == 0
    assert "standard input: more than" in run("load", "-", stdin=good.read_bytes() + b" ").stderr
    assert "a key is 1 to 64 bytes" in run("verify", good.parent, "--key-file", "/dev/zero").stderr


def test_errors_are_json_where_json_is_asked_for(run: Run, good: Path, tmp_path: Path) -> None:
    """One line on the error output, nothing on the other; what Typer refuses as well."""
    for words in (
        ["load", tmp_path / "nothing.csv"],
        ["available", good, "soon", "later"],
        ["why", good, "nobody", "2026-07-01", "2026-07-02"],
        ["available", good, "2026-07-01"],
        ["available", good, "2026-07-01", "2026-07-02", "--qantity", "2"],
    ):
        found = run(*words, "--json")
        assert (found.exit_code, found.stdout) == (2, "")
        facts = json.loads(found.stderr)
        assert facts["exit_code"] == 2
        assert facts["error"]
        assert "hint" in facts


def test_command_is_also_a_module_and_tells_its_version(shell: Shell, run: Run) -> None:
    """``python -m bookcore``; ``--version``."""
    import bookcore

    assert run("--version").stdout == f"bookcore {bookcore.__version__}\n"
    assert shell("${bookcore%.cli} --version").stdout.decode() == f"bookcore {bookcore.__version__}\n"


def test_shells_are_offered_completion(run: Run) -> None:
    """By Typer, which knows how."""
    assert "--install-completion" in run("--help").stdout


UNSEEN = [
    "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\u2066", "\u200f", "\u061c", "\ufe0f", "\u3164", "\u115f",
    "\x7f", "\x9b", "\n", "\u2028", "\U000e0041", "\U000e0101",
]  # fmt: skip


@pytest.mark.parametrize("char", UNSEEN)
def test_what_is_not_seen_is_escaped_in_output_errors_and_rows(
    run: Callable[..., Any], tmp_path: Path, char: str
) -> None:
    """In ids, reasons and cells; and a resource can be asked for by its id as it is, and as it is shown."""
    name = f"a{char}b"
    calendar = Calendar()
    calendar.add_resource(Resource(name))
    calendar.add_resource(Resource("ab"))
    calendar.close(name, 5, 9, f"pain{char}ting")
    calendar.book(name, 1, 4, id=f"id{char}")
    calendar.snapshot(tmp_path / "a.bks")
    shown = visible(name)
    assert shown.isprintable()
    assert shown != "ab"
    found = [run("available", tmp_path / "a.bks", "10", "11"), *(
        run("why", tmp_path / "a.bks", word, "1", "6", *more) for word in (name, shown) for more in ([], ["--json"])
    )]  # fmt: skip
    found += [run("why", tmp_path / "a.bks", f"no{char}", "1", "6"), run("available", tmp_path / "a.bks", f"1{char}", "6")]
    for one in found:
        text = one.stdout + one.stderr
        assert one.exception is None or isinstance(one.exception, SystemExit)
        assert char == "\n" or char not in text
    assert found[0].stdout == f"{shown}\nab\n"
    with pytest.raises(ConflictError) as caught:
        calendar.book(name, 1, 6)
    assert char not in str(caught.value)
    assert char not in str(calendar.explain(name, 1, 6)).replace("\n  ", "")
    table = io.StringIO(f'resource,start,end\n"{name}","x{char}","y{char}z"\n"{name}","c{char}","b"\n')
    rows = [str(row) for row in fill(Calendar(), read_csv(table, keys="text")) if isinstance(row, BadRow)]
    assert rows
    assert not any(char in row for row in rows)


HUGE = 10**5000
ODD = {
    "NaN": float("nan"), "inf": float("inf"), "-inf": float("-inf"), "5001 digits": HUGE, "negative": -HUGE,
    "fraction": Fraction(HUGE, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_id_that_is_no_number_of_json_is_text_in_it(run: Callable[..., Any], tmp_path: Path, name: str) -> None:
    """NaN, infinity, and ints that Python does not convert to decimal digits, as ids of resources and bookings."""
    calendar = Calendar()
    calendar.add_resource(Resource(ODD[name]))
    calendar.book(ODD[name], 1, 4, id=ODD[name])
    file = tmp_path / "a.bks"
    calendar.snapshot(file)
    shown = visible(ODD[name])
    for words in (["available", file, "10", "11"], ["why", file, "--", shown, "1", "6"]):
        found = run(*words)
        assert found.exit_code == 0, found.output
        assert shown in found.stdout
        found = run(words[0], "--json", *words[1:])
        assert found.exit_code == 0, found.output
        facts = json.loads(found.stdout, parse_constant=pytest.fail)
        assert shown in (facts.get("resource"), *facts.get("resources", ()))


@pytest.mark.parametrize("edge", [HUGE, -HUGE, float("inf"), float("-inf")], ids=["huge", "-huge", "inf", "-inf"])
def test_a_key_of_any_size_is_shown(run: Callable[..., Any], tmp_path: Path, edge: Any) -> None:
    """As the start or end of a booking, in lines and in JSON."""
    calendar = Calendar()
    calendar.add_resource(Resource("r"))
    calendar.book("r", *((1, edge) if edge > 1 else (edge, 1)))
    file = tmp_path / "a.bks"
    calendar.snapshot(file)
    for more in ([], ["--json"]):
        found = run("why", *more, file, "r", "0", "3")
        assert found.exit_code == 0, found.output
        assert visible(edge) in found.stdout
    json.loads(found.stdout, parse_constant=pytest.fail)
