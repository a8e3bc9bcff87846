"""Why a script ended, in words that help."""

import pytest

from backend.runs.outcome import last_exception, outcome

CHAIN = """Epoch 1: 5%
Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise errors.DataError("no images: check the path")
errors.DataError: no images: check the path
more: details
"""


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        (CHAIN, "errors.DataError: no images: check the path"),
        ("Traceback (most recent call last):\n  File x\nKeyboardInterrupt\n", "KeyboardInterrupt"),
        (
            '  File "a.py", line 1\n    def x(:\n          ^\nSyntaxError: invalid syntax\n',
            "SyntaxError: invalid syntax",
        ),
        ("SyntaxError: in a log, then\nmore work\n", None),
        ("warning: something\n", None),
        ("", None),
    ],
)
def test_the_last_exception_is_found(stderr: str, expected: str | None) -> None:
    assert last_exception(stderr) == expected


def test_a_signal_has_its_name_and_stop_comes_before_everything() -> None:
    assert outcome(-9, None, CHAIN).reason.params == {"signal": "SIGKILL"}
    assert outcome(-11, None, "").reason.params == {"signal": "SIGSEGV"}
    assert outcome(-9, "stopped_by_user", CHAIN).state == "stopped"
    assert outcome(0, "workstation_shutdown", "").reason.code == "workstation_shutdown"


def test_a_traceback_that_did_not_kill_is_no_failure() -> None:
    assert outcome(0, None, CHAIN).state == "finished"


def test_a_sandbox_that_could_not_be_built_is_not_the_script_s_fault() -> None:
    reason = outcome(1, None, "bwrap: Can't find source path /x: No such file or directory\n").reason
    assert reason.code == "start_failed" and "/x" in reason.params["detail"]
    assert outcome(1, None, "x\nbwrap: said the script\n").reason.code == "script_exit_code"


def test_a_job_that_its_cluster_ended_is_a_failure_that_may_be_retried() -> None:
    report = outcome(0, "cluster_job_ended", "")
    assert (report.state, report.reason.code) == ("failed", "cluster_job_ended")
