"""A strip of figures that takes one line: label, value, detail."""

import html
from collections.abc import Iterable

import streamlit as st


def show(facts: Iterable[tuple[str, str, str]], legend: dict[str, str] | None = None) -> None:
    """Draw (label, value, detail) triples, and below them names beside their colours. Everything is escaped."""
    blocks = "".join(_block(*map(html.escape, fact)) for fact in facts)
    swatches = "".join(
        f'<span><i style="background:{html.escape(colour)}"></i>{html.escape(name)}</span>'
        for name, colour in (legend or {}).items()
    )
    st.html(f'<div class="arm-facts">{blocks}</div><div class="arm-legend">{swatches}</div>')


def _block(label: str, value: str, detail: str) -> str:
    return f"<div><span>{label}</span><b>{value}</b><small>{detail}</small></div>"
