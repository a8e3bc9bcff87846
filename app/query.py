"""Reads what the URL says. Everything in it was typed by someone, so each value is checked before it is used."""

import re
from collections.abc import Collection

import streamlit as st

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def query_id(name: str) -> str | None:
    """The id under `?name=`, or None when it is absent or is no id at all."""
    value = st.query_params.get(name, "")
    return value if _ID.fullmatch(value) else None


def query_choice(name: str, choices: Collection[str], default: str) -> str:
    """The value under `?name=` if it is one of `choices`."""
    value = st.query_params.get(name, default)
    return value if value in choices else default


def query_number(name: str, default: int = 0, minimum: int = 0, maximum: int = 10**9) -> int:
    """The whole number under `?name=`, kept inside its range."""
    value = st.query_params.get(name, "")
    return min(max(int(value), minimum), maximum) if re.fullmatch(r"\d{1,9}", value) else default


def remember(**params: str | int | None) -> None:
    """Write values into the URL, so that a reload or a sent link shows the same; None removes one."""
    for name, value in params.items():
        if value is None:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != str(value):
            st.query_params[name] = str(value)
