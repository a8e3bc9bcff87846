"""Sentences by code, Russian and English. The texts are in atp/locales."""

import json
import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "ru")


def terminal_language() -> str:
    """`ru` if the terminal's locale (LC_ALL, LC_MESSAGES, LANG: the first that is set) is Russian, `en` otherwise."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "ru" if locale.lower().startswith("ru") else "en"


@cache
def texts(language: str) -> dict[str, str]:
    """All texts of one language by key. An unknown language gives English."""
    name = language if language in LANGUAGES else "en"
    loaded: dict[str, str] = json.loads((files("atp") / "locales" / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def sentence(key: str, holes: Mapping[str, object], language: str = "en") -> str:
    """The text of `key` with its holes filled."""
    return texts(language)[key].format_map(dict(holes))


@cache
def _russian_of_the_reader() -> dict[str, str]:
    loaded: dict[str, str] = json.loads((files("atp") / "locales" / "yaml.ru.json").read_text(encoding="utf-8"))
    return loaded


def yaml_reason(reason: str, language: str) -> str:
    """What the YAML reader says, which speaks English only; a rare sentence of its own stays English."""
    return _russian_of_the_reader().get(reason, reason) if language == "ru" else reason
