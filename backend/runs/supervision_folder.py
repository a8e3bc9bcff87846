"""What a machine knows about a run so that a new process can take it up: ARM_HOME/supervision/<run>/ (docs/decisions).

Outside of the run folder, where the script may write. Who is alive is told by locks, which the kernel drops with their
holder: no process id that came back, no start of the machine in between can deceive them.
"""

import fcntl
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

RECORD_BYTES = 4096


@dataclass(frozen=True)
class ScriptRecord:
    """How a script stands. `started_at` is seconds of this boot (CLOCK_BOOTTIME)."""

    state: Literal["starting", "running", "ended", "failed"] = "starting"
    isolation: str = ""
    shim_pid: int = 0
    script_pid: int = 0
    boot_id: str = ""
    started_at: float = 0
    exit_code: int = 0
    left_behind: int = 0
    error: str = ""


class SupervisionFolder:
    """The files of one run; they exist from the claim until the end was reported."""

    def __init__(self, home: Path, run_id: str) -> None:
        self.run_id = run_id
        self.root = home / "supervision" / run_id
        self.worker_lock = self.root / "worker.lock"
        self.agent_lock = self.root / "agent.lock"
        self.script_file = self.root / "script.json"

    def create(self) -> None:
        """Make it if it is not there."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def remove(self) -> None:
        """Nothing more is to be done for this run on this machine."""
        shutil.rmtree(self.root, ignore_errors=True)

    def script_record(self) -> ScriptRecord | None:
        """What the shim wrote last; None when no shim was ever started."""
        return read_record(self.script_file)


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed; None when another process holds it or the folder is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def write_note(descriptor: int, note: dict[str, object]) -> None:
    """Write who holds a lock into it. A full disk is no reason to stop: the note only helps, the lock decides."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
    except OSError:
        return


def read_note(path: Path) -> dict[str, object]:
    """What the holder of a lock wrote, or nothing."""
    try:
        note = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write_record(descriptor: int, record: ScriptRecord) -> None:
    """Replace the record in one write of one block, which is allocated from the first: a full disk can not prevent
    the exit code from being kept.
    """
    short = asdict(record) | {"error": record.error[:1000]}
    os.pwrite(descriptor, json.dumps(short).encode().ljust(RECORD_BYTES), 0)


def read_record(path: Path) -> ScriptRecord | None:
    """The record in a file; None when there is none."""
    for _ in range(3):  # A reader may meet a write half-way.
        try:
            return ScriptRecord(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            continue
    return None


def boot_id() -> str:
    """Differs after every start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
