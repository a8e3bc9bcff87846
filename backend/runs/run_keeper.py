"""Looks after the runs of one machine: one agent each, a new one where the old died, those of a dead worker too."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.contracts.base import Reason
from backend.contracts.workers import AdoptRequest, Claim, RunFinished
from backend.runs.agent import AgentJob
from backend.runs.api_connection import AgentApi, ApiAwayError, ApiConnection, ApiRefusedError
from backend.runs.process_tree import collect_orphans, end_marked
from backend.runs.supervision_folder import SupervisionFolder, is_locked, read_note, try_lock, write_note

LOOK_AROUND_S = 3.0
QUICK_DEATH_S = 10.0
MAX_QUICK_DEATHS = 5
LONGEST_PAUSE_S = 8.0
log = logging.getLogger(__name__)


@dataclass
class KeptRun:
    """A run whose end this worker answers for. `process` is our own agent; None: another worker's, or none yet."""

    folder: SupervisionFolder
    device: str
    lock: int
    process: "subprocess.Popen[str] | None" = None
    started_at: float = 0
    quick_deaths: int = 0
    retry_at: float = 0


class TokenSource(Protocol):
    """Who hands out fresh tokens: the backend."""

    def adopt(self, request: AdoptRequest) -> Claim:
        """As ApiConnection.adopt."""
        ...


class RunKeeper:
    """Single-threaded, like its worker. `job_of` makes an agent's job from a claim."""

    def __init__(
        self,
        api: TokenSource,
        home: Path,
        worker: str,
        job_of: Callable[[Claim], AgentJob],
        is_for_one: bool = False,
    ) -> None:
        """`is_for_one`: look after given runs only, without an agent in reserve."""
        self._api = api
        self._is_for_one = is_for_one
        self._home = home
        self._worker = worker
        self._job_of = job_of
        self._runs: dict[str, KeptRun] = {}
        self._spare: subprocess.Popen[str] | None = None
        self._looked_at = -LOOK_AROUND_S

    @property
    def devices(self) -> Counter[str]:
        """How many runs occupy each device."""
        return Counter(kept.device for kept in self._runs.values())

    def start(self, claim: Claim) -> None:
        """Give a claimed run to an agent. Raises OSError when the supervision folder can not be made."""
        kept = self._runs.get(claim.run_id) or self._take_up(claim.run_id, claim.device, is_new=True)
        if kept is not None:  # Else another worker of this folder has just found and taken it.
            self._hand_to_agent(kept, claim)

    def look_after(self) -> None:
        """Notice agents that ended or died, take up what dead workers left, keep a spare agent ready."""
        if not self._is_for_one and (self._spare is None or self._spare.poll() is not None):
            self._spare = self._start_agent()
        if time.monotonic() - self._looked_at >= LOOK_AROUND_S:
            self._looked_at = time.monotonic()
            if not self._is_for_one:
                self._look_around()
            self._collect_zombies()
        for kept in list(self._runs.values()):
            self._look_at(kept)

    def stop(self, patience_s: float) -> None:
        """Ask every agent to stop its script, ours and those of dead workers, and wait for their reports."""
        if self._spare is not None:
            self._spare.kill()
            self._spare.wait()
        for kept in self._runs.values():
            pid = kept.process.pid if kept.process is not None else _agent_pid(kept.folder)
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + patience_s
        for kept in self._runs.values():
            while self._has_agent(kept) and time.monotonic() < deadline:
                time.sleep(0.05)
            if self._has_agent(kept):
                # It still tries to reach the API; it is on its own feet and goes on without us.
                log.warning("run %s: its agent has not reported yet", kept.folder.run_id)

    def _look_around(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for found in sorted((self._home / "supervision").iterdir()):
                if found.name not in self._runs and self._take_up(found.name, "") is not None:
                    log.info("run %s: found without a worker", found.name)

    def _take_up(self, run_id: str, device: str, is_new: bool = False) -> KeptRun | None:
        folder = SupervisionFolder(self._home, run_id)
        if is_new:
            folder.create()
        lock = try_lock(folder.worker_lock)
        if lock is None:
            return None
        device = device or str(read_note(folder.worker_lock).get("device", "cpu"))
        write_note(lock, {"device": device, "worker": self._worker})
        self._runs[run_id] = KeptRun(folder, device, lock)
        return self._runs[run_id]

    def _look_at(self, kept: KeptRun) -> None:
        if self._has_agent(kept):
            return
        if kept.process is not None:
            self._note_death(kept)
        if not kept.folder.root.exists():
            os.close(kept.lock)
            del self._runs[kept.folder.run_id]
        elif time.monotonic() >= kept.retry_at:
            self._revive(kept)

    def _has_agent(self, kept: KeptRun) -> bool:
        if kept.process is not None:
            return kept.process.poll() is None
        return is_locked(kept.folder.agent_lock)

    def _note_death(self, kept: KeptRun) -> None:
        assert kept.process is not None
        exit_code, kept.process = kept.process.returncode, None
        if exit_code == 0:
            return
        log.error("run %s: its agent ended with %d", kept.folder.run_id, exit_code)
        is_quick = time.monotonic() - kept.started_at < QUICK_DEATH_S
        kept.quick_deaths = kept.quick_deaths + 1 if is_quick else 0
        kept.retry_at = time.monotonic() + min(LONGEST_PAUSE_S, max(0, 2**kept.quick_deaths - 2))

    def _revive(self, kept: KeptRun) -> None:
        """A new agent with a fresh token, which shuts out whatever may be left of the old one."""
        run_id = kept.folder.run_id
        try:
            claim = self._api.adopt(AdoptRequest(worker=self._worker, run_id=run_id))
        except ApiAwayError as error:
            log.info("run %s: no token yet: %s", run_id, error)
            kept.retry_at = time.monotonic() + 1
            return
        except ApiRefusedError as error:
            if error.status == 401:
                raise
            log.warning("run %s is not ours any more: %s", run_id, error)
            self._end_script(kept)
            kept.folder.remove()
            return
        if kept.quick_deaths >= MAX_QUICK_DEATHS:
            self._give_up(kept, claim)
        else:
            self._hand_to_agent(kept, claim)

    def _give_up(self, kept: KeptRun, claim: Claim) -> None:
        """Agents of this run die as soon as they start: end the script and say so, without one."""
        self._end_script(kept)
        connection = ApiConnection(self._job_of(claim).api_url, claim.token)
        reason = Reason(code="agent_died", params={"times": kept.quick_deaths, "worker": self._worker})
        try:
            AgentApi(connection, claim.run_id).finished(RunFinished(state="lost", reason=reason))
        except ApiAwayError:
            return
        except ApiRefusedError as error:
            log.info("run %s had ended before: %s", claim.run_id, error)
        finally:
            connection.close()
        kept.folder.remove()

    def _end_script(self, kept: KeptRun) -> None:
        record = kept.folder.script_record()
        if record is not None and record.shim_pid and is_locked(kept.folder.script_file):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.shim_pid, signal.SIGKILL)  # Its script dies with it.
        end_marked(self._home / "runs" / kept.folder.run_id)

    def _hand_to_agent(self, kept: KeptRun, claim: Claim) -> None:
        process = self._spare if self._spare is not None and self._spare.poll() is None else self._start_agent()
        self._spare = None
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(self._job_of(claim).model_dump_json() + "\n")
        kept.process, kept.started_at = process, time.monotonic()
        log.info("run %s: agent %d", claim.run_id, process.pid)

    def _start_agent(self) -> "subprocess.Popen[str]":
        """An agent that waits for its job: imports are done before the run that needs them comes."""
        logs = self._home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        # The installation's token stays here: an agent needs only its run's.
        env = {name: value for name, value in os.environ.items() if not name.startswith("ARM_")}
        with (logs / "agents.log").open("ab") as agents_log:
            return subprocess.Popen(
                [sys.executable, "-m", "backend.runs.agent"],
                env=env,
                stdin=subprocess.PIPE,
                stdout=agents_log,
                stderr=agents_log,
                text=True,
                start_new_session=True,
            )

    def _collect_zombies(self) -> None:
        """Shims of dead agents became our children; nobody else would collect them."""
        own = {kept.process.pid for kept in self._runs.values() if kept.process is not None}
        collect_orphans(spared=own | ({self._spare.pid} if self._spare is not None else set()))


def _agent_pid(folder: SupervisionFolder) -> int | None:
    pid = read_note(folder.agent_lock).get("pid")
    return pid if isinstance(pid, int) and is_locked(folder.agent_lock) else None
