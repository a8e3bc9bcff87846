"""Progress and messages (steps 3 and 4): what the person at the workstation reads while a run goes on."""

from typing import Any

from PlatformAPI.errors import WrongArgumentError
from PlatformAPI.numbers_in import finite_from
from PlatformAPI.run_context import current


def save_progress_for_platform(progress: float) -> None:
    """Move the progress bar to `progress` per cent, 0..100; under torchrun rank 0 does. Raises WrongArgumentError."""
    percent = finite_from(progress, "progress")
    # A sum of float steps may end at 100.00000000000001.
    if not -1e-6 <= percent <= 100 + 1e-6:
        raise WrongArgumentError(f"progress is {percent}, it must be from 0 to 100")
    percent = min(max(percent, 0.0), 100.0)
    run = current()
    if run.rank:
        return  # The bar is rank 0's: otherwise every copy of the script would move it.
    run.writer.write_event("progress", "progress", v=percent)
    if run.console is not None:
        run.console.show_progress(percent)


class PlatformLogger:
    """Messages of three levels; each level has its tab in the workstation."""

    def info(self, message: Any) -> None:
        """Show an information message."""
        _send("info", message)

    def warning(self, message: Any) -> None:
        """Show a warning: the run goes on, but someone should look."""
        _send("warning", message)

    def error(self, message: Any) -> None:
        """Show an error message. It does not end the run."""
        _send("error", message)


_logger = PlatformLogger()


def get_logger() -> PlatformLogger:
    """The logger whose `info`, `warning` and `error` show a message in the workstation."""
    current()
    return _logger


def _send(level: str, message: Any) -> None:
    # A lone surrogate (an undecodable file name) has no UTF-8 form and must not stop a training.
    text = str(message).encode("utf-8", "backslashreplace").decode()
    run = current()
    if run.rank:
        text = f"[rank {run.rank}] {text}"
    run.writer.write_event("message", f"{level} message", level=level, text=text)
    if run.console is not None:
        run.console.show_message(level, text)
