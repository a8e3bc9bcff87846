"""Sentences of assets/locales in the reader's language, for the API's English replies and for the terminal."""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

LOCALES = Path(__file__).parents[1] / "assets" / "locales"
LANGUAGES = ("en", "ru")


def sentence(key: str, params: Mapping[str, Any] | None = None, language: str = "en") -> str:
    """The sentence of `key` with its holes filled; the key itself where no sentence is known.

    A hole without a parameter stays visible as `{hole}`: a message with a gap is better than none.
    """
    return _filled(_catalogue(language).get(key, key), params)


def terminal_sentence(key: str, params: Mapping[str, Any] | None = None) -> str:
    """The same in the terminal's language. Pages draw `code` as code; a terminal gets it in quotation marks."""
    return _filled(_catalogue(terminal_language()).get(key, key).replace("`", "'"), params)


def terminal_language() -> str:
    """`ru` when the terminal's locale is Russian, `en` otherwise; ARM_LANG decides first."""
    for variable in ("ARM_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return "ru" if value.lower().startswith("ru") else "en"
    return "en"


def _filled(text: str, params: Mapping[str, Any] | None) -> str:
    return text.format_map(_Holes(params or {}))


class _Holes(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


@cache
def _catalogue(language: str) -> dict[str, str]:
    files = sorted((LOCALES / language).glob("*.json"))
    return {key: text for file in files for key, text in json.loads(file.read_text(encoding="utf-8")).items()}
