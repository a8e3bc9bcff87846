"""Every code that the backend can raise has a message and a hint in both languages, with the same holes."""

import json
import re
from pathlib import Path
from string import Formatter

ROOT = Path(__file__).parents[4]
CODE = re.compile(r"""(?:Error|Problem|_problem|_fault|_refusal|Fault)\(\s*(?:code=)?"([a-z0-9_]+)\"""")


def catalogue(language: str) -> dict[str, str]:
    return json.loads((ROOT / "assets" / "locales" / language / "errors.json").read_text(encoding="utf-8"))


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def codes_in_source() -> set[str]:
    files = [path for path in (ROOT / "backend").rglob("*.py") if "cli" not in path.name]
    return {code for path in files for code in CODE.findall(path.read_text(encoding="utf-8"))}


def test_every_code_has_texts() -> None:
    codes = codes_in_source()
    assert len(codes) > 80
    for language in ("en", "ru"):
        texts = catalogue(language)
        missing = {code for code in codes for part in ("message", "hint") if f"error.{code}.{part}" not in texts}
        assert not missing, language


def test_languages_agree() -> None:
    english, russian = catalogue("en"), catalogue("ru")
    assert english.keys() == russian.keys()
    for key, text in english.items():
        assert holes(text) == holes(russian[key]), key
        assert bool(text) == bool(russian[key]), key
