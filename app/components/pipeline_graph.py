"""A graph of a pipeline, drawn by Graphviz inside the browser; nodes lead to their lines, frames open and close."""

from pathlib import Path

import streamlit as st

from app.i18n import t

_HERE = Path(__file__).parent
_HTML = """
<div class="arm-graph">
  <div class="arm-graph__tools">
    <button type="button" data-act="out">−</button><button type="button" data-act="in">+</button>
    <button type="button" data-act="fit">⤢</button>
  </div>
  <div class="arm-graph__view"></div>
</div>
"""
MAX_TOGGLED = 500
_component = st.components.v2.component(
    "arm_pipeline_graph",
    html=_HTML,
    css=(_HERE / "pipeline_graph.css").read_text("utf-8"),
    js=(_HERE / "pipeline_graph.js").read_text("utf-8"),
)


def toggled(graph: str, key: str) -> tuple[str, ...]:
    """Frames of the graph that the reader opened or closed."""
    state = st.session_state.get(key)
    chosen = state.get("toggled") if isinstance(state, dict) else None  # it came through the browser
    if not isinstance(chosen, dict) or chosen.get("graph") != graph or not isinstance(chosen.get("frames"), list):
        return ()
    return tuple(str(frame)[:20] for frame in chosen["frames"][:MAX_TOGGLED])


def show(graph: str, dot: str, key: str) -> tuple[str, int] | None:
    """Draw `dot`; `graph` names it, so that zoom and open frames belong to it alone.

    The file and the line of a node of another file that was clicked just now, else None.
    """
    labels = {label: t(f"pipelines.graph.{label}") for label in ("in", "out", "fit", "graph", "failed")}
    data = {"graph": graph, "dot": dot, "toggled": list(toggled(graph, key)), "labels": labels}
    result = _component(key=key, data=data, on_toggled_change=lambda: None, on_place_change=lambda: None)
    place = result.get("place")  # it came through the browser
    if not isinstance(place, dict) or not isinstance(place.get("file"), str) or not isinstance(place.get("line"), int):
        return None
    return place["file"], place["line"]
