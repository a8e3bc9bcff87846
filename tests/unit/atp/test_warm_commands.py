"""Commands in children of one process: each starts afresh, none outlives its answer, the process stays clean."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atp import warm_commands

LIB = """import os
class Part:
    def __init__(self, size: int) -> None: pass
    def add(self) -> None: pass
"""
TEXT = 'atp: 1\npart: {"#lib.Part": {size: 1}}\nmain:\n  process: ["@part.add"]\n'


class Server:
    """The process, with the folder of a project as its working directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "lib.py").write_text(LIB)
        (folder / "f.yaml").write_text(TEXT)
        self.output = (folder / "output").open("a+b")
        self.channel, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "atp.warm_commands"]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        with theirs:
            self.process = subprocess.Popen(
                command, cwd=folder, env=env, stdin=theirs, stdout=self.output, stderr=self.output
            )
        self.replies = self.channel.makefile("rb")
        assert json.loads(self.replies.readline()) == "ready"

    def ask(self, *arguments: str, seconds: float = 60) -> Any:
        os.ftruncate(self.output.fileno(), 0)
        self.channel.sendall(json.dumps({"arguments": arguments, "seconds": seconds}).encode() + b"\n")
        return json.loads(self.replies.readline())

    def said(self) -> str:
        return os.pread(self.output.fileno(), 1 << 20, 0).decode()

    def children(self) -> list[str]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                found.append(stat.parent.name)
        return found

    def close(self) -> None:
        self.channel.shutdown(socket.SHUT_RDWR)
        assert self.process.wait(20) is not None
        self.replies.close()
        self.channel.close()
        self.output.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("project"))
    yield started
    if started.process.poll() is None:
        started.close()


@pytest.fixture(autouse=True)
def _as_it_was(server: Server) -> Iterator[None]:
    yield
    (server.folder / "lib.py").write_text(LIB)


def test_what_is_imported_beforehand_starts_no_threads() -> None:
    code = (
        "import os, sys; from atp import warm_commands as w; w._import([*w.FIRST, *w.LATER]);"
        "assert 'torchvision' in sys.modules and len(os.listdir('/proc/self/task')) == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_a_command_answers_as_it_does_alone(server: Server) -> None:
    assert server.ask("validate", "f.yaml") == 0
    assert server.ask("validate", "f.yaml", "--level", "init", "--format", "json") == 0
    assert server.said().strip() == "[]"
    assert server.ask("help", "#core.Loss") == 3
    assert server.ask("validate", "absent.yaml") == 2
    assert server.ask("no-such-command") == 2


def test_code_of_a_project_is_imported_anew_each_time(server: Server) -> None:
    assert server.ask("validate", "f.yaml") == 0
    (server.folder / "lib.py").write_text(LIB.replace("size", "width"))
    assert server.ask("validate", "f.yaml") == 2
    assert "E301" in server.said()


def test_a_command_that_takes_too_long_is_ended_with_what_it_started(server: Server) -> None:
    (server.folder / "lib.py").write_text(
        "import os\nif not os.fork():\n    os.setsid()\n    os.fork()\nwhile True:\n    pass\n"
    )
    assert server.ask("validate", "f.yaml", seconds=1) is None
    assert server.children() == []


def test_what_a_command_leaves_running_is_ended(server: Server) -> None:
    leave = "if not os.fork():\n    os.setsid()\n    while True:\n        pass\n"
    (server.folder / "lib.py").write_text(LIB + leave)
    assert server.ask("validate", "f.yaml") == 0
    assert server.children() == []


def test_a_command_can_neither_answer_for_itself_nor_reach_into_the_process(server: Server) -> None:
    (server.folder / "lib.py").write_text(
        LIB + "import socket, stat\n"
        "sockets = [fd for fd in os.listdir('/proc/self/fd')"
        " if os.path.exists(f'/proc/self/fd/{fd}') and stat.S_ISSOCK(os.stat(f'/proc/self/fd/{fd}').st_mode)]\n"
        "assert not sockets, sockets\n"
    )
    assert server.ask("validate", "f.yaml") == 0, server.said()


def test_a_death_of_a_command_is_told(server: Server) -> None:
    (server.folder / "lib.py").write_text(LIB + "os.kill(os.getpid(), 9)\n")
    assert server.ask("validate", "f.yaml") == -9
    (server.folder / "lib.py").write_text(LIB)
    assert server.ask("validate", "f.yaml") == 0


def test_libraries_that_a_command_needed_are_kept(server: Server) -> None:
    (server.folder / "lib.py").write_text(LIB + "import torchvision\n")
    assert server.ask("validate", "f.yaml") == 0
    (server.folder / "lib.py").write_text(LIB + "import sys; assert 'torchvision' in sys.modules\n")
    assert server.ask("validate", "f.yaml") == 0, server.said()


def test_emptying_a_folder_follows_no_links(tmp_path: Path) -> None:
    kept, emptied = tmp_path / "kept", tmp_path / "emptied"
    (kept / "inner").mkdir(parents=True)
    (emptied / "deep" / "deeper").mkdir(parents=True)
    (emptied / "deep" / "file").write_text("x")
    (emptied / "link").symlink_to(kept)
    warm_commands._empty(emptied)
    assert list(emptied.iterdir()) == []
    assert (kept / "inner").is_dir()


def test_it_ends_when_nobody_listens_any_more(tmp_path: Path) -> None:
    server = Server(tmp_path)
    (tmp_path / "lib.py").write_text("while True:\n    pass\n")
    server.channel.sendall(json.dumps({"arguments": ["validate", "f.yaml"], "seconds": 60}).encode() + b"\n")
    deadline = time.monotonic() + 30
    while not server.children():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (child,) = server.children()
    server.close()
    assert not Path("/proc", child).exists()
