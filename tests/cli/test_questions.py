"""What is asked of a file fits the file, or is refused in the words of who asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from bookcore import Calendar, Resource

Run = Callable[..., Result]


def test_resource_of_a_file_without_any_is_told_so(run: Run, tmp_path: Path) -> None:
    """Nobody counts to nothing, or says that one is many."""
    file = tmp_path / "header.csv"
    file.write_text("resource,start,end\n")
    assert "has no resource 'barn', nor any other" in run("why", file, "barn", "1", "2").stderr
    file.write_text("resource,start,end\nloft,1,2\n")
    assert "has no resource 'barn'; it has 1 other\n" in run("why", file, "barn", "1", "2").stderr


def test_keys_of_a_file_without_bookings_are_not_made_up(run: Run, tmp_path: Path) -> None:
    """START and END say what they are; only two kinds are refused."""
    calendar = Calendar()
    calendar.add_resource(Resource("loft"))
    calendar.snapshot(tmp_path / "empty.bks")
    (tmp_path / "empty.csv").write_text("resource,start,end\n")
    for name in ("empty.bks", "empty.csv"):
        file = tmp_path / name
        assert run("available", file, "2026-07-01", "2026-07-02").exit_code == 0
        found = run("available", file, "1", "2026-07-02")
        assert found.exit_code == 2
        assert "the file has no bookings" in found.stderr
        assert "the file has whole numbers" not in found.stderr


def test_empty_span_is_written_as_typed_and_hints_at_closed_bounds(run: Run, good: Path, tmp_path: Path) -> None:
    """Only where bounds may be chosen, and are not closed already."""
    words = ("2026-07-08", "2026-07-08")
    found = run("available", good, *words)
    assert found.exit_code == 2
    assert "not a span: 2026-07-08 to 2026-07-08: " in found.stderr
    assert '--bounds "[]"' in found.stderr
    assert run("available", good, *words, "--bounds", "[]").exit_code == 0
    found = run("why", good, "loft", "2026-07-09", "2026-07-08")
    assert "not a span: 2026-07-09 to 2026-07-08: " in found.stderr
    assert "--bounds" not in found.stderr
    saved = tmp_path / "saved.bks"
    run("load", good, "--save", saved)
    assert "--bounds" not in run("available", saved, *words).stderr
