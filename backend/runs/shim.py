"""The parent of one script: outlives the agent, keeps the exit code, leaves no process behind.

`python -m backend.runs.shim` has a socket as stdin, where its job comes as one JSON line together with the descriptor
of the run's record file, which is locked; without a job it just ends. It holds the lock while it or the script lives.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from backend.runs.bounded_log import BoundedLog
from backend.runs.process_tree import adopt_orphans, die_with_parent, end_descendants
from backend.runs.supervision_folder import ScriptRecord, boot_id, is_locked, write_record

PIPE_BYTES = 1 << 20
RECEIVE_BYTES = 1 << 16
GUARD_LOOK_S = 1.0
UNGUARDED_LOOKS = 5


def main() -> int:
    """Start the script, wait, end what it left, write the record. 3: there was no job."""
    # Handlers, not SIG_IGN: that would be inherited by the script.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    received = _receive_job()
    if received is None:
        return 3
    job, descriptor = received
    adopt_orphans()
    record = ScriptRecord(isolation=job["isolation"], shim_pid=os.getpid(), boot_id=boot_id())
    try:
        write_record(descriptor, _watch(job, record, descriptor))
    except OSError as error:
        write_record(descriptor, replace(record, state="failed", error=str(error)))
    return 0


def _receive_job() -> tuple[dict[str, Any], int] | None:
    with socket.socket(fileno=os.dup(0)) as agent:
        line, descriptors, _, _ = socket.recv_fds(agent, RECEIVE_BYTES, 1)
        while line and not line.endswith(b"\n"):
            more = agent.recv(RECEIVE_BYTES)
            line = line + more if more else b""
    if not line:
        return None
    os.set_inheritable(descriptors[0], False)
    return json.loads(line), descriptors[0]


def _watch(job: dict[str, Any], record: ScriptRecord, descriptor: int) -> ScriptRecord:
    logs = [BoundedLog(Path(job[stream]), job["log_limit_bytes"]) for stream in ("stdout", "stderr")]
    process = subprocess.Popen(
        job["argv"],
        env=job["env"],
        cwd=job["cwd"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=die_with_parent(os.getpid()),
    )
    record = replace(
        record, state="running", script_pid=process.pid, started_at=time.clock_gettime(time.CLOCK_BOOTTIME)
    )
    write_record(descriptor, record)
    assert process.stdout is not None and process.stderr is not None
    pumps = [
        threading.Thread(target=_pump, args=pair, daemon=True)
        for pair in zip((process.stdout, process.stderr), logs, strict=True)
    ]
    for pump in pumps:
        pump.start()
    guards = [Path(path) for path in job.get("guards", ())]
    if guards:
        threading.Thread(target=_end_unguarded, args=(process, guards), daemon=True).start()
    exit_code = process.wait()
    left_behind = end_descendants()
    for pump in pumps:
        pump.join(10)
    return replace(record, state="ended", exit_code=exit_code, left_behind=left_behind)


def _end_unguarded(process: "subprocess.Popen[bytes]", guards: list[Path]) -> None:
    """On a node of a cluster nobody would come for a script whose worker and agent are both gone."""
    unguarded_count = 0
    while unguarded_count < UNGUARDED_LOOKS:
        time.sleep(GUARD_LOOK_S)
        unguarded_count = 0 if any(is_locked(path) for path in guards) else unguarded_count + 1
    process.kill()


def _pump(pipe: IO[bytes], log: BoundedLog) -> None:
    """A pipe between the script and its log: with the file itself as stdout a full disk would end the script."""
    with contextlib.suppress(OSError):  # An ordinary user may own only so many large pipes.
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    while chunk := os.read(pipe.fileno(), PIPE_BYTES):
        log.write(chunk)


if __name__ == "__main__":
    sys.exit(main())
