"""A run as training and testing show it: status on top, then its parts as tabs."""

from collections.abc import Callable

from app.api_client import api
from app.components import error_box, live_charts, message_tabs, metric_views, run_details, run_log, run_status, tab_bar
from app.i18n import t
from backend.contracts.runs import FINAL_STATES, Run


def show(run: Run) -> None:
    """Status, then metrics (of a test), plots, messages, log and details."""
    run_status.show(run)
    parts: dict[str, Callable[[Run], None]] = {
        "metrics": _show_metrics,
        "messages": message_tabs.show,
        "log": run_log.show,
        "details": run_details.show,
    }
    names = ["plots", "messages", "log", "details"]
    if run.kind == "test":
        names = ["metrics", *names]
    part = tab_bar.choose(t("run.tabs"), {name: t(f"run.tab.{name}") for name in names}, key=f"run_{run.kind}")
    live_charts.show(run, is_shown=part == "plots")  # drawn in any case: they keep their zoom by staying mounted
    if part != "plots":
        parts[part](run)


def _show_metrics(run: Run) -> None:
    with error_box.guard():
        metrics = api().metrics(run.id)
    metric_views.show(metrics, is_final=run.state in FINAL_STATES)
