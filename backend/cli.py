"""The terminal: `arm up | down | worker [--cluster ray] | doctor`."""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from backend import doctor
from backend.domain.errors import ArmError
from backend.embedded.ports import next_free_port
from backend.embedded.secrets import read_or_make_secret
from backend.embedded.servers import start_servers
from backend.sentences import terminal_sentence
from backend.settings import Settings
from backend.workstation import Part, PartFailedError, keep_running, plan_parts


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 1 a reported failure, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="arm", description=say("cli.description"))
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("up", "down", "worker", "doctor"):
        added = verbs.add_parser(verb, help=say(f"cli.{verb}.help"))
        if verb == "worker":
            added.add_argument("--cluster", choices=["ray"], help=say("cli.worker.cluster.help"))
    chosen = parser.parse_args(arguments)
    verb = "cluster_worker" if getattr(chosen, "cluster", None) else chosen.verb
    try:
        settings = Settings()
        return {"up": up, "down": down, "worker": worker, "cluster_worker": cluster_worker, "doctor": doctor_report}[
            verb
        ](settings)
    except ArmError as error:
        fail(f"error.{error.code}.message", **error.params)
        fail(f"error.{error.code}.hint", **error.params)
    except ValidationError as error:
        for fault in error.errors():
            name = f"ARM_{'_'.join(map(str, fault['loc'])).upper()}"
            fail("cli.bad_setting", name=name, value=fault["input"], detail=fault["msg"])
    except OSError as error:
        fail("cli.os_error", detail=error)
    except PartFailedError as error:
        fail("cli.part_failed", part=say(f"cli.part.{error.part}"), log=error.log_path, tail=error.tail)
    return 1


def up(settings: Settings) -> int:
    """Start every part, print one line for each and then the address; stop everything on Ctrl-C or SIGTERM."""
    home = settings.home_dir
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _stop_signal() as is_stopping, _only_one(home) as lock:
        if lock is None:
            return 1
        started = time.monotonic()
        token = settings.api_token or read_or_make_secret(home / "secrets" / "api-token")
        servers = start_servers(
            home, settings.mongo_url, settings.redis_url, report=lambda origin: print(f"  ✓ {origin}", flush=True)
        )
        parts: list[Part] = []
        try:
            api_port = _port(settings, "api")
            (home / "api-url").write_text(f"http://{settings.api_host}:{api_port}/api\n")
            ui_port = _port(settings, "ui")
            parts = plan_parts(settings, servers, token, api_port, ui_port)
            _start(parts, is_stopping)
            if not is_stopping():
                url = f"http://127.0.0.1:{ui_port}"
                _write_lock(lock, url)
                print(say("cli.ready", seconds=f"{time.monotonic() - started:.0f}", home=home), flush=True)
                print(f"\n  {url}\n", flush=True)
                keep_running(servers, parts, is_stopping, _report_death)
        finally:
            print(say("cli.stopping"), flush=True)
            for part in reversed(parts):
                part.stop()
            servers.stop()
    return 0


def down(settings: Settings) -> int:
    """Stop the workstation that runs with this ARM_HOME, wherever it was started."""
    lock_path = settings.home_dir / "up.lock"
    # Only a held lock proves that the process named in it is a workstation and not one that got its number later.
    if not lock_path.exists() or not _is_held(lock_path):
        print(say("cli.not_running", home=settings.home_dir))
        return 0
    pid = int(json.loads(lock_path.read_text())["pid"])
    os.kill(pid, signal.SIGTERM)
    for _ in range(600):
        if not _is_held(lock_path):
            return 0
        time.sleep(0.1)
    fail("cli.still_running", pid=pid)
    return 1


def worker(settings: Settings) -> int:
    """Run one more worker against the API given by ARM_API_URL and ARM_API_TOKEN, in the foreground."""
    os.execv(sys.executable, [sys.executable, "-m", "backend.runs.worker"])


def cluster_worker(settings: Settings) -> int:
    """Offer the cluster at ARM_RAY_URL to the API given by ARM_API_URL and ARM_API_TOKEN, in the foreground."""
    os.execv(sys.executable, [sys.executable, "-m", "backend.runs.cluster.cluster_worker"])


def doctor_report(settings: Settings) -> int:
    """Check this machine and say what is missing; 1 when something that is needed is."""
    findings = doctor.examine(settings)
    for finding in findings:
        mark = {"ok": "✓", "note": "•", "missing": "✗"}[finding.verdict]
        print(f"  {mark} {say(f'cli.doctor.{finding.topic}')}: {finding.detail}")
        if finding.verdict != "ok":
            print(f"      {say(f'cli.doctor.{finding.topic}.mend', **finding.params)}")
    return int(any(finding.verdict == "missing" for finding in findings))


def say(key: str, **params: object) -> str:
    """A sentence in the terminal's language."""
    return terminal_sentence(key, params)


def fail(key: str, **params: object) -> None:
    """Print a sentence to stderr."""
    print(say(key, **params), file=sys.stderr, flush=True)


def _start(parts: list[Part], is_stopping: "StopSignal") -> None:
    for part in parts:
        if is_stopping():
            return
        part.start()
    for part in parts:
        part.wait_until_ready(is_stopping)
        if is_stopping():
            return
        print(f"  ✓ {say(f'cli.part.{part.name}')}", flush=True)


def _port(settings: Settings, part: str) -> int:
    wanted: int = getattr(settings, f"{part}_port")
    port = next_free_port(settings.api_host, wanted)
    if port != wanted:
        name = say(f"cli.part.{part}")
        print(
            say("cli.port_busy", part=name, wanted=wanted, port=port, variable=f"ARM_{part.upper()}_PORT"), flush=True
        )
    return port


def _report_death(part: str, exit_code: int) -> None:
    fail("cli.part_died", part=say(f"cli.part.{part}").removeprefix("cli.part."), code=exit_code)


class StopSignal:
    """True once SIGINT or SIGTERM came."""

    def __init__(self) -> None:
        self._came = False

    def __call__(self) -> bool:
        """Whether the workstation was told to stop."""
        return self._came

    def arrive(self, *_: object) -> None:
        """Signal handler."""
        self._came = True


@contextlib.contextmanager
def _stop_signal() -> Iterator[StopSignal]:
    stop = StopSignal()
    previous = {number: signal.signal(number, stop.arrive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[IO[str] | None]:
    """Hold the data folder for this process; None (and a sentence) when another workstation holds it."""
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = json.loads(lock.read() or "{}")
            fail("cli.already_running", home=home, url=holder.get("url", "…"), pid=holder.get("pid", "…"))
            yield None
            return
        _write_lock(lock, "")
        yield lock
        lock.truncate(0)


def _is_held(lock_path: Path) -> bool:
    with lock_path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _write_lock(lock: IO[str], url: str) -> None:
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "url": url}))
    lock.flush()


if __name__ == "__main__":
    sys.exit(main())
