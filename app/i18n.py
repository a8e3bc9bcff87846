"""Two languages: sentences live in assets/locales/<language>/*.json under keys; code speaks only in keys.

Not covered: Streamlit's own strings (they stay English) and texts that users write.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from app import session_keys
from app.api_requests import ApiError
from backend.contracts.base import Reason

LANGUAGES = ("ru", "en")
LOCALES = Path(__file__).resolve().parents[1] / "assets" / "locales"


class _Holes(dict[str, Any]):
    """Leaves a hole without a value visible instead of failing: the rest of the sentence still helps the reader."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


@lru_cache
def catalogue(language: str) -> dict[str, str]:
    """All sentences of one language, merged from its files; a key has one home, which a test checks."""
    merged: dict[str, str] = {}
    for path in sorted((LOCALES / language).glob("*.json")):
        merged.update(json.loads(path.read_text("utf-8")))
    return merged


def default_language() -> str:
    """The browser's language where we speak it; Russian is understood by readers of its neighbours' locales too."""
    locale = (st.context.locale or "ru").lower()
    return "ru" if locale[:2] in ("ru", "be", "uk", "kk") else "en"


def language() -> str:
    """The language of this session: the choice made here, else `?lang=`, else the browser's."""
    for candidate in (st.session_state.get(session_keys.LANGUAGE), st.query_params.get("lang")):
        if candidate in LANGUAGES:
            return candidate
    return default_language()


def t(key: str, **params: Any) -> str:
    """The sentence under `key` in the session's language with its holes filled; an unknown key is shown as it is."""
    return _filled(catalogue(language()).get(key, key), params)


def count(key: str, number: int, **params: Any) -> str:
    """A sentence that depends on a number: `key.one`, `key.few` or `key.many`, with `{count}` among its holes."""
    return t(f"{key}.{plural_form(language(), number)}", count=number, **params)


def plural_form(language: str, number: int) -> str:
    """The CLDR class of a whole number: 1 файл (one), 2 файла (few), 5 файлов (many). English has one and many."""
    if language != "ru":
        return "one" if number == 1 else "many"
    if number % 10 == 1 and number % 100 != 11:
        return "one"
    if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14):
        return "few"
    return "many"


def render(reason: Reason | ApiError) -> str:
    """The message of a reason, a problem or an API error in the reader's language.

    A code without a sentence falls back to the server's English message, then to the code itself.
    """
    sentences = catalogue(language())
    for key in (f"error.{reason.code}.message", f"reason.{reason.code}", reason.code):
        if key in sentences:
            return _filled(sentences[key], reason.params)
    return getattr(reason, "message", "") or " ".join([reason.code, *(f"{k}={v}" for k, v in reason.params.items())])


def render_hint(reason: Reason | ApiError) -> str:
    """What to do about it, in the reader's language; empty where there is nothing to add."""
    sentences = catalogue(language())
    for key in (f"error.{reason.code}.hint", f"reason.{reason.code}.hint"):
        if key in sentences:
            return _filled(sentences[key], reason.params)
    return getattr(reason, "hint", "")


def render_whole(reason: Reason | ApiError) -> str:
    """What happened and what to do about it, as sentences in a row."""
    told, hint = render(reason).rstrip(), render_hint(reason)
    return f"{told}{'' if told.endswith(('.', '!', '?', '…')) else '.'} {hint}" if hint else told


def _filled(sentence: str, params: dict[str, Any]) -> str:
    return sentence.format_map(_Holes(params)) if params else sentence
