"""Which processes are kept: one for each project in use, for a while; a killed one is replaced."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from backend.runs import atp_process
from backend.runs.atp_process import AtpProcess
from backend.runs.atp_server import AtpAnswer


class StandIn:
    """An AtpServer that only notes what is asked of it."""

    made: "list[StandIn]"

    def __init__(self) -> None:
        self.used_at = time.monotonic()
        self.is_alive, self.is_busy = True, False
        self.asked: list[str] = []
        self.is_ended = False
        self.made.append(self)

    def is_ready(self) -> bool:
        return self.is_alive

    def ask(self, code_dir: Path, path: str, text: str, arguments: Sequence[str], timeout_s: float) -> AtpAnswer:
        assert 0 < timeout_s <= 60
        self.asked.append(path)
        return AtpAnswer(0, "[]", "")

    def end(self) -> None:
        self.is_alive, self.is_ended = False, True


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    StandIn.made = []
    monkeypatch.setattr(atp_process, "LOOK_EVERY_S", 0.02)


@pytest.fixture
def process() -> Iterator[AtpProcess]:
    made = AtpProcess(StandIn, 60, 60)  # type: ignore[arg-type]
    yield made
    made.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ask(process: AtpProcess, project: str) -> AtpAnswer:
    return process.run(project, Path(), "f.yaml", "", ())


def test_warming_up_starts_one_process_and_a_question_uses_it(process: AtpProcess) -> None:
    assert not process.is_warm("a")
    process.warm_up("a")
    process.warm_up("a")
    until(lambda: process.is_warm("a"))
    ask(process, "a")
    assert [server.asked for server in StandIn.made] == [["f.yaml"]]


def test_projects_do_not_share_a_process_and_the_least_used_goes(process: AtpProcess) -> None:
    for project in ("a", "b", "a", "c", "a"):
        ask(process, project)
    assert [len(server.asked) for server in StandIn.made] == [3, 1, 1]
    assert [server.is_ended for server in StandIn.made] == [False, True, False]


def test_a_busy_process_is_not_ended_for_another_project(process: AtpProcess) -> None:
    ask(process, "a")
    StandIn.made[0].is_busy = True
    ask(process, "b")
    ask(process, "c")
    assert [server.is_ended for server in StandIn.made] == [False, True, False]


def test_a_killed_process_is_replaced_by_the_next_question_only(process: AtpProcess) -> None:
    ask(process, "a")
    StandIn.made[0].is_alive = False
    process.warm_up("a")
    time.sleep(0.1)
    assert len(StandIn.made) == 1
    assert ask(process, "a").exit_code == 0
    assert len(StandIn.made) == 2 and StandIn.made[0].is_ended


def test_an_idle_process_is_ended() -> None:
    process = AtpProcess(StandIn, 60, 0.05)  # type: ignore[arg-type]
    process.warm_up("a")
    until(lambda: StandIn.made and StandIn.made[0].is_ended)
    assert not process.is_warm("a")
    process.close()


def test_nothing_is_kept_warm_where_that_is_turned_off() -> None:
    process = AtpProcess(StandIn, 60, 0)  # type: ignore[arg-type]
    process.warm_up("a")
    assert ask(process, "a").exit_code == 0
    until(lambda: StandIn.made[0].is_ended)
    assert len(StandIn.made) == 1
    process.close()


def test_closing_ends_everything(process: AtpProcess) -> None:
    ask(process, "a")
    process.close()
    assert StandIn.made[0].is_ended
    assert ask(process, "a").exit_code is None
    process.warm_up("b")
    assert len(StandIn.made) == 1
