"""Runs `atp` commands one after another, each in a forked child, from a process that has imported torch already.

Started as `python -P -m atp.warm_commands` with a connected socket as standard input. It says `"ready"`; then each line
`{"arguments": [...], "seconds": 120}` is answered by one line, the exit code or null when the time was over. What a
command prints goes to the streams of this process. Not a sandbox: whoever starts this puts it into one, and gives it
the code of one project only.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path

# What every check needs. Nothing of a project: that is for children.
FIRST = (
    *("torch", "PlatformAPI", "atp.cli", "atp.core"),
    *("atp.help.pages", "atp.validation.creation", "atp.parsing.params"),
)
# What is kept once a command needed it; nothing that starts threads (pandas does), because of the forks.
LATER = ("torch._dynamo", "torchvision", "torchmetrics", "torchmetrics.detection", "lightning")
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
ROUNDS_OF_KILLING = 200
REPORT_BYTES = 1000


def serve(is_alone: bool) -> None:
    """Answer until the other end closes. `is_alone`: /tmp and /dev/shm are its own and emptied every time."""
    # A command could otherwise attach to this process, which answers for the commands after it.
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)  # what a command leaves behind becomes our child, so that we find it
    channel = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    _import(FIRST)
    with channel, channel.makefile("rb") as requests:
        channel.sendall(b'"ready"\n')
        for line in requests:
            request = json.loads(line)
            exit_code, used = _run(channel, request["arguments"], float(request["seconds"]))
            if is_alone:
                _empty(Path("/tmp"))
                _empty(Path("/dev/shm"))
            channel.sendall(json.dumps(exit_code).encode() + b"\n")
            _import([name for name in LATER if name in used and name not in sys.modules])


def _import(names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):  # The command that needs it imports it again, and tells.
            importlib.import_module(name)
    if names:
        gc.collect()
        gc.freeze()  # a collection in a child would touch, and so copy, all of it


def _run(channel: socket.socket, arguments: Sequence[str], seconds: float) -> tuple[int | None, Collection[str]]:
    """How a command ended, and names of modules that it says it imported.

    Its exit code, minus the number of the signal that ended it, None when its time was over.
    """
    report, told = os.pipe()
    is_threaded = len(list(Path("/proc/self/task").iterdir())) > 1
    child = os.fork()
    if child == 0:
        os.close(
            channel.fileno()
        )  # `close` would leave it to the file around it, and a command could answer for itself
        os.close(report)
        _be_command(arguments, seconds, is_threaded, told)
    os.close(told)
    ended = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([ended, channel.fileno()], [], [], seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)  # it may not have come to its own group yet
        status = os.waitpid(child, 0)[1]
    finally:
        os.close(ended)
    _end_strays()
    if channel.fileno() in ready:
        raise SystemExit("nobody waits for the answer")
    with open(report, "rb", buffering=0) as stream:  # noqa: PTH123 - a descriptor
        used = stream.read(REPORT_BYTES).decode(errors="replace").split()
    return os.waitstatus_to_exitcode(status) if ended in ready else None, used


def _be_command(arguments: Sequence[str], seconds: float, is_threaded: bool, told: int) -> None:
    """The child: `python -m atp.cli` as if it had just started. Never returns."""
    exit_code: object = 1
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _prctl(PR_SET_DUMPABLE, 1)
        cpu_s = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
        if is_threaded:  # a thread that does not exist here may hold a lock for ever; a fresh interpreter has neither
            os.execv(sys.executable, (sys.executable, "-m", "atp.cli", *arguments))
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = ["atp", *arguments]
        from atp.cli import main

        exit_code = main(arguments)
    except SystemExit as leaving:
        exit_code = leaving.code
    except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as the server
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(told, " ".join(name for name in LATER if name in sys.modules).encode())
        os._exit(exit_code if isinstance(exit_code, int) else 1 if exit_code else 0)


def _end_strays() -> None:
    """Kill what a command left running. Whoever forks faster than that is ended with the sandbox."""
    for _ in range(ROUNDS_OF_KILLING):
        strays = _children()
        if not strays:
            return
        for stray in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stray, signal.SIGKILL)
        for stray in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray, 0)
    raise SystemExit("a command left processes that can not be ended")


def _children() -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            if parent == os.getpid():
                found.append(int(stat.parent.name))
    return found


def _empty(folder: Path) -> None:
    """Remove what is in a folder, but nothing that is mounted in it: the home of the workstation may lie below /tmp."""
    device = folder.stat().st_dev
    for entry in list(os.scandir(folder)):
        with contextlib.suppress(OSError):
            if not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink()
            elif entry.stat(follow_symlinks=False).st_dev == device:
                _empty(Path(entry.path))
                Path(entry.path).rmdir()


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


if __name__ == "__main__":
    serve("--alone" in sys.argv)
