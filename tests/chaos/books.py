"""Compares what scripts know they reported with what the API gives out."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from backend.contracts.runs import Run
from tests.chaos.busy_script import artifact_content
from tests.integration.runs.live_workstation import LiveWorkstation


@dataclass
class Totals:
    """What was found over all runs. `faults` is empty when the books balance."""

    points: int = 0
    messages: int = 0
    artifacts: int = 0
    faults: list[str] = field(default_factory=list)


def read_ledger(folder: Path) -> dict[str, list[int]]:
    """Numbers by kind (p, m, a); a torn last line was not noted."""
    noted: dict[str, list[int]] = {"p": [], "m": [], "a": []}
    path = folder / "home" / "ledger.txt"
    if path.exists():
        for line in path.read_text().split("\n")[:-1]:
            kind, number = line.split()
            noted[kind].append(int(number))
    return noted


def check(live: LiveWorkstation, run: Run, totals: Totals) -> None:
    noted = read_ledger(live.folder(run))
    about = f"run {run.number} ({run.state}, {run.reason.code if run.reason else None})"
    points = [number for series in live.points(run).series for number in series.iters]
    texts = [m.text for m in live.messages(run) if m.reason is None]
    _check_row(f"{about}: points", noted["p"], points, totals)
    _check_row(f"{about}: messages", noted["m"], [int(text.split()[1]) for text in texts], totals)
    _check_artifacts(live, run, noted["a"], about, totals)
    totals.points += len(points)
    totals.messages += len(texts)


def _check_row(about: str, noted: list[int], found: list[int], totals: Totals) -> None:
    """Each exactly once, in order; one more than noted may be there: killed between the call and the ledger."""
    if found != list(range(len(found))):
        doubled = len(found) - len(set(found))
        missing = sorted(set(range(max(found) + 1)) - set(found))[:5]
        totals.faults.append(f"{about}: {doubled} twice, missing {missing}, in order: {found == sorted(found)}")
    if noted and len(found) <= noted[-1]:
        totals.faults.append(f"{about}: {noted[-1] + 1} calls returned, {len(found)} are there")


def _check_artifacts(live: LiveWorkstation, run: Run, noted: list[int], about: str, totals: Totals) -> None:
    found = {a["path"]: a for a in live.ok("GET", f"/runs/{run.id}/artifacts") if a["kind"] != "log"}
    missing = [number for number in noted if f"a{number}.bin" not in found]
    if missing:
        totals.faults.append(f"{about}: artefacts {missing} are missing")
    for path, artifact in found.items():
        content = live.client.get(f"/objects/{artifact['sha256']}").content
        expected = artifact_content(int(path[1:-4]))
        if content != expected or hashlib.sha256(content).hexdigest() != artifact["sha256"]:
            totals.faults.append(f"{about}: {path} has {len(content)} bytes instead of {len(expected)}")
    totals.artifacts += len(found)
