"""Checks settings of the command line by the types and limits that params.yaml, the workstation's form, gives them."""

from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig

from defects_in_welds.data.problems import LANGUAGES, chosen_language, text

FORM = Path(__file__).parents[1] / "params.yaml"


class SettingError(ValueError):
    """Settings that cannot be; the message lists all of them."""


def check_settings(config: DictConfig, form: Path = FORM) -> None:
    """Raise SettingError if a setting that the form has, too, is none. Lightning checks the group `trainer` itself."""
    given = config.data.language
    language = chosen_language(given if given in LANGUAGES else "auto")
    groups = yaml.safe_load(form.read_text(encoding="utf-8"))["train"]
    wrong = [
        text("setting_wrong", language, name=f"{group}.{name}", value=config[group][name], known=_known(entry))
        for group, entries in groups.items()
        for name, entry in entries.items()
        if group != "trainer" and not _is_allowed(config[group][name], entry)
    ]
    if wrong:
        raise SettingError("\n".join(wrong))


def _is_allowed(value: Any, entry: dict[str, Any]) -> bool:
    kind = entry["type"]
    if kind == "choice":
        return str(value) in entry["choices"]
    if kind in ("str", "bool"):
        return isinstance(value, bool) == (kind == "bool")
    is_number = isinstance(value, int if kind == "int" else int | float) and not isinstance(value, bool)
    return is_number and entry["min"] <= value <= entry["max"]


def _known(entry: dict[str, Any]) -> str:
    if "choices" in entry:
        return ", ".join(entry["choices"])
    return f"{entry['type']} {entry['min']}…{entry['max']}" if "min" in entry else entry["type"]
