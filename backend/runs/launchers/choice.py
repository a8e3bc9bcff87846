"""Decides how scripts are kept apart on this machine."""

from pathlib import Path
from typing import Literal

from backend.contracts.base import Contract
from backend.runs.launchers.bubblewrap import BubblewrapLauncher, bubblewrap_fault
from backend.runs.launchers.local import LocalLauncher

Isolation = Literal["bubblewrap", "process"]
IsolationSetting = Literal["auto", "bubblewrap", "process"]


class IsolationMissingError(Exception):
    """bubblewrap is demanded and does not work; the text says why."""


class LaunchRules(Contract):
    """What the administrator of a computing machine decided about scripts."""

    isolation: Isolation = "process"
    allow_network: bool = False


def etc_dir(home: Path) -> Path:
    """Where the files of a script's own /etc are kept."""
    return home / "cache" / "sandbox-etc"


def choose_isolation(wanted: IsolationSetting, home: Path) -> tuple[Isolation, str | None]:
    """How scripts will be isolated, and what was wrong with bubblewrap if that is why they will not be.

    Raises IsolationMissingError when nothing but bubblewrap will do and it does not work.
    """
    if wanted == "process":
        return "process", None
    fault = bubblewrap_fault(etc_dir(home))
    if fault is None:
        return "bubblewrap", None
    if wanted == "bubblewrap":
        raise IsolationMissingError(fault)
    return "process", fault


def launcher(isolation: Isolation, home: Path) -> LocalLauncher:
    """The launcher for one run."""
    return BubblewrapLauncher(etc_dir(home)) if isolation == "bubblewrap" else LocalLauncher()
