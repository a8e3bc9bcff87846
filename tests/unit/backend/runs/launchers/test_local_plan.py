"""A plan says exactly what would be executed, without executing it."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backend.runs.launchers.base import LaunchRequest, script_environment
from backend.runs.launchers.local import LocalLauncher
from backend.runs.run_folder import RunFolder


def request(tmp_path: Path, arguments: str = "", device: str = "cpu") -> LaunchRequest:
    return LaunchRequest(RunFolder(tmp_path), sys.executable, "src/train.py", arguments, device)


def test_arguments_are_split_like_a_shell_but_no_shell_runs(tmp_path: Path) -> None:
    plan = LocalLauncher().plan(request(tmp_path, "--name 'two words' --x=$HOME; rm *"))
    assert plan.argv == (sys.executable, "src/train.py", "--name", "two words", "--x=$HOME;", "rm", "*")
    assert plan.cwd == tmp_path / "code"
    assert list(tmp_path.iterdir()) == []


def test_an_open_quote_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="quotation"):
        LocalLauncher().plan(request(tmp_path, "'open"))


def test_only_listed_variables_are_inherited(tmp_path: Path) -> None:
    inherited = {
        **{"PATH": "/bin", "LC_ALL": "C.UTF-8", "CUDA_HOME": "/c", "OMP_NUM_THREADS": "2"},
        **{"ARM_API_TOKEN": "t", "PYTHONPATH": "/x", "AWS_SECRET_ACCESS_KEY": "s", "HOME": "/root", "LD_PRELOAD": "e"},
    }
    assert script_environment(request(tmp_path, device="cuda:2"), inherited) == {
        **{"PATH": "/bin", "LC_ALL": "C.UTF-8", "CUDA_HOME": "/c", "OMP_NUM_THREADS": "2"},
        "ARM_RUN_DIR": str(tmp_path),
        "ARM_API_SOCKET": str(tmp_path / "api" / "socket"),
        "HOME": str(tmp_path / "home"),
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": "2",
    }


def test_a_node_says_where_the_sdk_is_and_what_it_inherited_does_not_count(tmp_path: Path) -> None:
    on_node = replace(request(tmp_path), sdk_dir="/package")
    assert script_environment(on_node, {"PYTHONPATH": "/x"})["PYTHONPATH"] == "/package"


def test_a_pipeline_is_run_by_atp(tmp_path: Path) -> None:
    asked = replace(request(tmp_path, "validate --limit 2"), entry_file="nets/train.yaml")
    started = ("-m", "atp.cli", "--root", ".", "run", "nets/train.yaml", "validate", "--limit", "2")
    assert LocalLauncher().plan(asked).argv == (asked.python, *started)
    several = LocalLauncher().plan(replace(asked, processes=2)).argv
    assert several[-len(started) :] == started
    assert "torch.distributed.run" in several
