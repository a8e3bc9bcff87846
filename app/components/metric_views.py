"""Test metrics: tables with statistics, matrices, confusion matrices and histograms, one tab each."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.format import plain
from app.i18n import t
from backend.contracts.reports import Metric

CELL_TEXT_UP_TO = 24
"""Labels a side up to which numbers fit into the cells of a matrix."""


def show(metrics: list[Metric], is_final: bool = False, key: str = "metrics") -> None:
    """Each metric in its own tab, in the order in which the script gave them. `is_final`: no more will come."""
    if not metrics:
        st.info(t("metrics.none_final" if is_final else "metrics.none"), icon=":material/monitoring:")
        return
    for index, (tab, metric) in enumerate(zip(st.tabs([plain(m.name) for m in metrics]), metrics, strict=True)):
        with tab:
            if metric.description:
                st.caption(plain(metric.description))
            _VIEWS[metric.kind](metric.data, f"{key}_{index}")


def _table(data: dict[str, Any], key: str) -> None:
    frame = pd.DataFrame(data["rows"], columns=data["columns"], index=data.get("index"))
    st.dataframe(frame, hide_index=data.get("index") is None, key=key)
    statistics = table_statistics(frame)
    if statistics is not None:
        st.subheader(t("metrics.statistics"), anchor=False)
        st.dataframe(statistics.rename(index=lambda row: t(f"metrics.stat.{row}")), key=f"{key}_stats")


def table_statistics(frame: pd.DataFrame) -> pd.DataFrame | None:
    """Mean, standard deviation, minimum, quartiles and maximum of the numeric columns; None for fewer than two rows."""
    numeric = frame.select_dtypes("number")
    if numeric.empty or len(frame) < 2:
        return None
    statistics = numeric.describe().drop("count")
    return statistics.rename(index={"25%": "q25", "50%": "q50", "75%": "q75"})


def _confusion(data: dict[str, Any], key: str) -> None:
    st.plotly_chart(confusion_figure(data["values"], data["labels"]), key=key, theme="streamlit", config=_CONFIG)
    st.caption(t("metrics.confusion_hint"))


def confusion_figure(values: list[list[float]], labels: list[str]) -> go.Figure:
    """Counts in the cells, colour by the share of the row, so that rare classes are as visible as frequent ones."""
    shares = [[cell / sum(row) if sum(row) else 0.0 for cell in row] for row in values]
    figure = _heatmap(shares, values, labels, labels, "%{text}")
    hover = (
        f"{t('metrics.truth')}: %{{y}}<br>{t('metrics.prediction')}: %{{x}}<br>%{{text}} (%{{z:.1%}})<extra></extra>"
    )
    figure.update_traces(zmin=0, zmax=1, hovertemplate=hover, colorbar={"tickformat": ".0%"})
    figure.update_xaxes(title=t("metrics.prediction"))
    figure.update_yaxes(title=t("metrics.truth"))
    return figure


def _matrix(data: dict[str, Any], key: str) -> None:
    values = data["values"]
    figure = _heatmap(values, values, data["row_labels"], data["column_labels"], "%{text:.4~g}")
    figure.update_traces(hovertemplate="%{y} / %{x}: %{z}<extra></extra>")
    st.plotly_chart(figure, key=key, theme="streamlit", config=_CONFIG)


def _heatmap(
    shade: list[list[float]], text: list[list[float]], rows: list[str], columns: list[str], template: str
) -> go.Figure:
    has_text = max(len(rows), len(columns)) <= CELL_TEXT_UP_TO
    is_dark = st.context.theme.type == "dark"
    heat = go.Heatmap(
        z=shade,
        text=text,
        x=[f"{name}" for name in columns],
        y=[f"{name}" for name in rows],
        texttemplate=template if has_text else None,
        colorscale=_DARK_SCALE if is_dark else _LIGHT_SCALE,
        xgap=1,
        ygap=1,
        colorbar={"thickness": 10, "outlinewidth": 0, "len": 0.9},
        textfont={"size": 14 if len(columns) <= 10 else 11},
    )
    figure = go.Figure(heat)
    cell_px = 58 if len(rows) <= 6 else 40 if len(rows) <= 12 else 30
    figure.update_layout(height=min(130 + cell_px * len(rows), 820), margin={"l": 10, "r": 10, "t": 10, "b": 10})
    # labels may be digits: without a category axis Plotly would treat them as numbers
    figure.update_xaxes(type="category", side="top", showgrid=False, automargin=True)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, automargin=True)
    return figure


def _histogram(data: dict[str, Any], key: str) -> None:
    counts, edges = data["counts"], data["edges"]
    pairs = list(pairwise(edges))
    bars = go.Bar(
        x=[(low + high) / 2 for low, high in pairs],
        y=counts,
        width=[high - low for low, high in pairs],
        customdata=pairs,
        hovertemplate="%{customdata[0]:.4g} … %{customdata[1]:.4g}: <b>%{y}</b><extra></extra>",
        marker={"line": {"width": 0.5}},
    )
    figure = go.Figure(bars)
    figure.update_layout(height=380, bargap=0, margin={"l": 10, "r": 10, "t": 10, "b": 10})
    figure.update_yaxes(title=t("metrics.count"))
    st.plotly_chart(figure, key=key, theme="streamlit", config=_CONFIG)


# buttons are named one by one: Plotly's default set has some that lead to services outside
_CONFIG = {"displaylogo": False, "modeBarButtons": [["toImage", "resetScale2d"]]}
_LIGHT_SCALE = [[0, "#f3f6f9"], [0.5, "#8fb4d9"], [1, "#1f5f9e"]]
_DARK_SCALE = [[0, "#1d2126"], [0.5, "#2b5480"], [1, "#3d7fc4"]]
_VIEWS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "table": _table,
    "matrix": _matrix,
    "confusion": _confusion,
    "histogram": _histogram,
}
