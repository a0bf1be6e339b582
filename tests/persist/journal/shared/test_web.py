"""A web program: four workers of uvicorn, each with the calendar in its own memory, and many requests for few slots."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import textwrap
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bookcore
from bookcore import Calendar, Resource

WORKERS, REQUESTS, SLOTS = 4, 500, 50

PROGRAM = """
import os
from bookcore import AsyncCalendar, ConflictError

calendar = None

async def app(scope, receive, send):
    global calendar
    if scope["type"] == "lifespan":
        await receive()
        calendar = await AsyncCalendar.open(os.environ["ROOMS"], timeout=60)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await calendar.aclose()
        await send({"type": "lifespan.shutdown.complete"})
        return
    at = int(scope["path"][1:])
    try:
        await calendar.book("room", at, at + 1)
        status = 201
    except ConflictError:
        status = 409
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


def asked(port: int, at: int) -> tuple[int, int]:
    """Ask for a slot; return the status, and which process answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", f"/{at}")
        answer = connection.getresponse()
        return answer.status, int(answer.read())
    finally:
        connection.close()


def test_four_workers_book_each_slot_once(address: str, tmp_path: Path) -> None:
    """Every request is answered, and whoever is told that a slot is his has it alone."""
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    with Calendar.open(address) as calendar:
        calendar.add_resource(Resource("room"))
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    package = str(Path(bookcore.__file__).parent.parent)
    command = [sys.executable, "-m", "uvicorn", "program:app", "--port", "0", "--workers", str(WORKERS)]
    environment = {**os.environ, "ROOMS": address, "PYTHONPATH": package}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            port, begun = 0, 0
            while begun < WORKERS:
                line = server.stderr.readline()
                assert line, "the server ended"
                if "running on" in line:
                    port = int(line.partition("127.0.0.1:")[2].split()[0])
                begun += "startup complete" in line
            with ThreadPoolExecutor(32) as pool:
                answers = list(pool.map(lambda n: asked(port, n % SLOTS), range(REQUESTS)))
        finally:
            server.terminate()
    assert Counter(status for status, _ in answers) == {201: SLOTS, 409: REQUESTS - SLOTS}
    assert len({process for _, process in answers}) > 1
    with Calendar.open(address) as calendar:
        assert sorted(event.start for event in calendar.bookings()) == list(range(SLOTS))
        assert calendar.position == 1 + SLOTS
        calendar.check()
