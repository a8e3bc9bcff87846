"""Answers that take long: nobody waits, the newest question of an owner wins, answers are remembered."""

import threading
import time
from collections.abc import Iterator

import pytest

from backend.services.pipeline_jobs import PipelineJobs


@pytest.fixture
def jobs() -> Iterator["PipelineJobs[str]"]:
    made: PipelineJobs[str] = PipelineJobs()
    yield made
    made.close()


def until_answered(jobs: "PipelineJobs[str]", owner: str, key: str) -> str:
    deadline = time.monotonic() + 10
    while (answer := jobs.ask(owner, key, lambda: key)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return answer


def test_an_answer_is_worked_out_once(jobs: "PipelineJobs[str]") -> None:
    calls: list[str] = []

    def work() -> str:
        calls.append("x")
        return "answer"

    assert jobs.ask("me", "k", work) is None
    assert until_answered(jobs, "me", "k") == "answer"
    assert jobs.ask("somebody else", "k", work) == "answer"
    assert calls == ["x"]


def test_an_older_question_of_the_same_owner_is_dropped(jobs: "PipelineJobs[str]") -> None:
    gate, done = threading.Event(), []

    def blocked() -> str:
        gate.wait(10)
        return "first"

    jobs.ask("other", "busy", blocked)
    jobs.ask("me", "old", lambda: done.append("old") or "old")
    jobs.ask("me", "new", lambda: "new")
    gate.set()
    assert until_answered(jobs, "me", "new") == "new"
    assert done == []


def test_a_failure_is_raised_once_and_asked_again(jobs: "PipelineJobs[str]") -> None:
    def broken() -> str:
        raise OSError("no disk")

    jobs.ask("me", "k", broken)
    with pytest.raises(OSError, match="no disk"):
        for _ in range(1000):
            jobs.ask("me", "k", broken)
            time.sleep(0.01)
    assert until_answered(jobs, "me", "k") == "k"
