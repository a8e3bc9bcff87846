"""A process that checks pipelines, isolated as it is on this machine: what one check does the next one never meets."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.runs.atp_server import AtpAnswer, AtpServer
from backend.runs.launchers.choice import choose_isolation, etc_dir, launcher

LIB = "class Part:\n    def __init__(self, size: int) -> None: pass\n    def add(self) -> None: pass\n"
TEXT = 'atp: 1\npart: {"#lib.Part": {size: 1}}\nmain:\n  process: ["@part.add"]\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def isolation(home: Path) -> str:
    return choose_isolation("auto", home)[0]


@pytest.fixture(scope="module")
def server(home: Path, isolation: str) -> Iterator[AtpServer]:
    started = AtpServer(launcher(isolation, home), etc_dir(home), home / "scratch", 6144)  # type: ignore[arg-type]
    yield started
    started.end()


@pytest.fixture
def check(server: AtpServer, tmp_path: Path) -> Callable[..., AtpAnswer]:
    def ask(lib: str = LIB, text: str = TEXT, seconds: float = 100) -> AtpAnswer:
        (tmp_path / "lib.py").write_text(lib)
        return server.ask(tmp_path, "f.yaml", text, ("validate", "f.yaml", "--level", "init"), seconds)

    return ask


def test_it_answers_again_and_again(check: Callable[..., AtpAnswer], server: AtpServer) -> None:
    assert check().exit_code == 0
    assert server.is_ready()
    wrong = check(text=TEXT.replace("size", "width"))
    assert (wrong.exit_code, wrong.is_final) == (2, True)
    assert "E301" in wrong.stderr and "0 errors" not in wrong.stdout
    assert check().stdout.startswith("f.yaml: 0 errors")


def test_files_of_a_check_are_gone_in_the_next(
    check: Callable[..., AtpAnswer], server: AtpServer, isolation: str
) -> None:
    places = "import os, pathlib\nplaces = [os.environ['HOME'], os.path.dirname(os.getcwd())]\n"
    if isolation == "bubblewrap":
        places += "places += ['/tmp', '/dev/shm']\n"
    write = "for place in places: pathlib.Path(place, 'left').write_text('x')\n"
    assert check(LIB + places + write).exit_code == 0
    look = "assert not any(pathlib.Path(place, 'left').exists() for place in places)\n"
    answer = check(LIB + places + look)
    assert answer.exit_code == 0, answer
    assert server.is_alive


def test_code_cannot_be_changed_by_what_is_checked(check: Callable[..., AtpAnswer], isolation: str) -> None:
    if isolation != "bubblewrap":
        pytest.skip("nothing keeps a script from its own files here")
    answer = check(LIB + "open('lib.py', 'a')\n")
    assert "Read-only" in answer.stdout + answer.stderr


def test_time_is_limited_and_the_next_check_is_not_late(check: Callable[..., AtpAnswer], server: AtpServer) -> None:
    answer = check("while True: pass\n", seconds=1)
    assert (answer.exit_code, answer.is_final) == (None, False)
    assert check().exit_code == 0
    assert server.is_alive


def test_memory_is_limited(check: Callable[..., AtpAnswer]) -> None:
    answer = check(LIB + "x = bytearray(7 << 30)\n")
    assert "MemoryError" in answer.stdout + answer.stderr


def test_a_check_that_stops_the_process_is_told_and_costs_the_process(home: Path, isolation: str) -> None:
    server = AtpServer(launcher(isolation, home), etc_dir(home), home / "scratch", 6144)  # type: ignore[arg-type]
    code = home / "code"
    code.mkdir()
    (code / "lib.py").write_text("import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(60)\n")
    answer = server.ask(code, "f.yaml", TEXT, ("validate", "f.yaml"), 100)
    assert (answer.exit_code, answer.is_final) == (-signal.SIGKILL, False)
    deadline = time.monotonic() + 10
    while server.is_alive:
        assert time.monotonic() < deadline
    server.end()
    assert not server._place.exists()


def test_nothing_survives_the_backend(home: Path, isolation: str) -> None:
    """Even a backend that is killed: what is at the other end of the channel ends by itself."""
    server = AtpServer(launcher(isolation, home), etc_dir(home), home / "scratch", 6144)  # type: ignore[arg-type]
    try:
        deadline = time.monotonic() + 100
        while not server.is_ready():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server._channel.shutdown(2)
        assert server._process.wait(20) is not None
    finally:
        server.end()
