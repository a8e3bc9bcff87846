"""One image with predicted and true boxes over it, zoomed and panned in the browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app.components.boxes import Box
from app.components.class_colours import UNKNOWN
from app.components.dataset_grid import box_data
from app.i18n import t
from backend.contracts.reports import Result

STAGE_PX = 600
FALLBACK_PX = 4096
_HERE = Path(__file__).parent
_HTML = """
<div class="arm-image">
  <div class="stage"><img decoding="async" draggable="false"><svg></svg></div>
  <div class="tools">
    <button type="button" data-act="out">−</button><span class="zoom"></span>
    <button type="button" data-act="in">+</button>
    <button type="button" data-act="fit">⤢</button><button type="button" data-act="real">1:1</button>
  </div>
</div>
"""

_component = st.components.v2.component(
    "arm_box_image",
    html=_HTML,
    css=(_HERE / "box_image.css").read_text("utf-8"),
    js=(_HERE / "box_image.js").read_text("utf-8"),
)


def show(
    result: Result, predictions: Sequence[Box], truths: Sequence[Box], colours: dict[str, str], key: str = "box_image"
) -> None:
    """Predictions are solid, truths are dashed; the view stays while only the boxes change."""
    drawn = [_drawn(box, colours, is_truth=True) for box in truths]
    drawn += [_drawn(box, colours, is_truth=False) for box in predictions]
    data = {
        "src": f"/objects/{result.image}",
        "fallback": f"/objects/{result.image}?width={FALLBACK_PX}",
        "alt": result.name,
        "width": result.width,
        "height": result.height,
        "stage": STAGE_PX,
        "boxes": drawn,
        "labels": {act: t(f"results.zoom.{act}") for act in ("in", "out", "fit", "real")},
    }
    _component(key=key, data=data)


def _drawn(box: Box, colours: dict[str, str], is_truth: bool) -> dict[str, Any]:
    score = "" if box.confidence is None or is_truth else f" {box.confidence:.2f}"
    kind = t("results.truth" if is_truth else "results.prediction")
    return {
        **box_data(box),
        "colour": colours.get(box.class_name, UNKNOWN),
        "dashed": is_truth,
        "label": f"{box.class_name}{score}",
        "title": f"{kind}: {box.class_name}{score}\n{box.x2 - box.x1:.0f} × {box.y2 - box.y1:.0f} px",
    }
