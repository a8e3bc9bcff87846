"""Every reason a run can end or be warned with has a sentence in both languages, with the same holes."""

import json
import re
from pathlib import Path
from string import Formatter
from typing import get_args

from backend.runs.outcome import StopCause
from backend.services.run_retries import RepeatCause

ROOT = Path(__file__).parents[3]
CODE = re.compile(r"""(?:Reason\(\s*code=|AgentNote\(\s*code=|failed\()"([a-z0-9_]+)\"""")


def catalogue(language: str) -> dict[str, str]:
    return json.loads((ROOT / "assets" / "locales" / language / "reasons.json").read_text(encoding="utf-8"))


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_reasons_in_the_source_and_in_the_catalogue_are_the_same() -> None:
    services = (ROOT / "backend" / "services").rglob("*.py")
    # Faults of pipeline checks are told with the sentences of errors.json.
    told_here = [file for file in services if not file.name.startswith("pipeline_")]
    files = [*(ROOT / "backend" / "runs").rglob("*.py"), *told_here]
    used = {code for file in files for code in CODE.findall(file.read_text(encoding="utf-8"))}
    used |= {*get_args(StopCause), *get_args(RepeatCause)}
    assert len(used) > 10
    for language in ("en", "ru"):
        assert {key.split(".")[1] for key in catalogue(language)} == used


def test_languages_agree() -> None:
    english, russian = catalogue("en"), catalogue("ru")
    assert english.keys() == russian.keys()
    for key, text in english.items():
        assert holes(text) == holes(russian[key]), key
