"""What to say about a script that is gone: finished, failed or stopped, and why."""

import re
import signal
from typing import Literal

from backend.contracts.base import Reason
from backend.contracts.runs import RunState
from backend.contracts.workers import RunFinished

StopCause = Literal["stopped_by_user", "workstation_shutdown", "time_limit", "memory_limit", "cluster_job_ended"]
FAILURE_CAUSES: frozenset[StopCause] = frozenset({"time_limit", "memory_limit", "cluster_job_ended"})
TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION_LINE = re.compile(r"[A-Za-z_][\w.]*(: .*)?")
_SYNTAX_ERROR_LINE = re.compile(r"^(SyntaxError|IndentationError|TabError): .*$(?=\s*\Z)", re.MULTILINE)
MAX_ERROR_CHARS = 500
SANDBOX_COMPLAINT = "bwrap: "


def outcome(
    exit_code: int, stop_cause: StopCause | None, stderr_tail: str, params: dict[str, object] | None = None
) -> RunFinished:
    """The report about a script that ended with `exit_code` (minus the signal's number when a signal killed it).

    `params` belong to the cause of a stop: the limit that was passed.
    """
    if stop_cause is not None:
        reason = Reason(code=stop_cause, params=params or {})
        state: RunState = "failed" if stop_cause in FAILURE_CAUSES else "stopped"
        return RunFinished(state=state, reason=reason, exit_code=exit_code, stderr_tail=stderr_tail)
    if exit_code == 0:
        return RunFinished(state="finished", reason=Reason(code="finished"), exit_code=0, stderr_tail=stderr_tail)
    return RunFinished(
        state="failed", reason=_failure(exit_code, stderr_tail), exit_code=exit_code, stderr_tail=stderr_tail
    )


def failed(code: str, **params: object) -> RunFinished:
    """The report about a script that could not even be started."""
    return RunFinished(state="failed", reason=Reason(code=code, params=params))


def _failure(exit_code: int, stderr_tail: str) -> Reason:
    if exit_code < 0:
        return Reason(code="script_killed", params={"signal": signal_name(-exit_code)})
    if exit_code == 1 and stderr_tail.startswith(SANDBOX_COMPLAINT):
        return Reason(code="start_failed", params={"detail": stderr_tail.strip()[:MAX_ERROR_CHARS]})
    error = last_exception(stderr_tail)
    if error is not None:
        return Reason(code="script_failed", params={"error": error, "exit_code": exit_code})
    return Reason(code="script_exit_code", params={"exit_code": exit_code})


def last_exception(stderr: str) -> str | None:
    """The line that names the exception of the last traceback, such as `ValueError: no images`."""
    _, found, after = stderr.rpartition(TRACEBACK)
    if not found:
        # A file that Python can not even compile is told without a traceback.
        syntax_error = _SYNTAX_ERROR_LINE.search(stderr)
        return syntax_error[0][:MAX_ERROR_CHARS] if syntax_error else None
    lines = (line.rstrip() for line in after.splitlines())
    return next((line[:MAX_ERROR_CHARS] for line in lines if _EXCEPTION_LINE.fullmatch(line)), None)


def signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:  # A real-time signal has no name.
        return f"SIG{number}"
