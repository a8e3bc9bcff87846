"""The plan of a sandboxed run: what is mounted, in which order, and what codes mean."""

import sys
from pathlib import Path

import pytest

from backend.runs.launchers import choice
from backend.runs.launchers.base import LaunchPlan, LaunchRequest, without_offset
from backend.runs.launchers.bubblewrap import BubblewrapLauncher
from backend.runs.run_folder import RunFolder


def plan(tmp_path: Path, network: bool = False) -> LaunchPlan:
    request = LaunchRequest(RunFolder(tmp_path / "run"), sys.executable, "train.py", "--a 1", "cpu", network)
    return BubblewrapLauncher(tmp_path / "etc").plan(request)


def test_a_plan_ends_with_the_script_and_starts_nothing(tmp_path: Path) -> None:
    assert plan(tmp_path).argv[-4:] == (sys.executable, "train.py", "--a", "1")
    assert list(tmp_path.iterdir()) == []


def test_inputs_are_mounted_read_only_after_the_folder_that_holds_them(tmp_path: Path) -> None:
    argv, run = plan(tmp_path).argv, tmp_path / "run"
    mounts = [(argv[i], argv[i + 2]) for i, part in enumerate(argv) if part in ("--bind", "--ro-bind")]
    whole = mounts.index(("--bind", str(run)))
    for name in ("code", "inputs", "weights", "run.json", "api", "stdout.log", "stderr.log"):
        assert mounts.index(("--ro-bind", str(run / name))) > whole
    writable = {target for option, target in mounts if option == "--bind"}
    assert writable == {str(run), str(run / "events"), str(run / "artifacts")}


def test_kernel_settings_are_covered_after_proc_is_mounted(tmp_path: Path) -> None:
    argv = plan(tmp_path).argv
    assert argv.index("--proc") < argv.index("/proc/sys")
    assert argv[argv.index("/proc/sys") - 1] == "--ro-bind-try"


def test_the_network_is_shared_only_on_request(tmp_path: Path) -> None:
    assert "--share-net" not in plan(tmp_path).argv
    assert "--share-net" in plan(tmp_path, network=True).argv


def test_the_temporary_folder_of_the_machine_is_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/somewhere")
    assert "TMPDIR" not in plan(tmp_path).env


@pytest.mark.parametrize(
    ("code", "meaning"), [(0, 0), (1, 1), (137, -9), (139, -11), (143, -15), (128, 128), (255, 255)]
)
def test_codes_above_128_are_signals(code: int, meaning: int) -> None:
    assert without_offset(code) == meaning


def test_a_demand_for_bubblewrap_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(choice.IsolationMissingError, match="not installed"):
        choice.choose_isolation("bubblewrap", tmp_path)
    assert choice.choose_isolation("auto", tmp_path) == ("process", "bwrap is not installed")
    assert choice.choose_isolation("process", tmp_path) == ("process", None)
