"""The path from nothing to boxes on images, in four steps, each with what is already there."""

import streamlit as st

from app import navigation
from app.api_client import api
from app.components import error_box
from app.i18n import count, t
from backend.contracts.datasets import Dataset, DemoImport
from backend.contracts.projects import Project
from backend.contracts.runs import FINAL_STATES, Run

LISTED = 200


def show(datasets: list[Dataset], projects: list[Project], trained: list[Run], tested: list[Run]) -> None:
    """Four cards; the first one that is not done is the next thing to do."""
    states = {
        "datasets": len(datasets),
        "projects": len(projects),
        "training": sum(run.state == "finished" for run in trained),
        "testing": sum(run.state == "finished" for run in tested),
    }
    following = next((name for name, done in states.items() if not done), None)
    columns = st.columns(4)
    for number, (column, (name, done)) in enumerate(zip(columns, states.items(), strict=True), start=1):
        with column, st.container(border=True, height="stretch", key=f"step_{name}"):
            sign = ":green[:material/check_circle:]" if done else ":gray[:material/radio_button_unchecked:]"
            st.markdown(f"{sign} **{number}. {t(f'home.step.{name}')}**")
            st.caption(_counted(name, done) if done else t(f"home.todo.{name}"))
            st.space("stretch")
            if name == "datasets" and not datasets:
                _demo_button()
            is_live = name == "training" and any(run.state not in FINAL_STATES for run in trained)
            if name == "testing" and done:
                navigation.link("results", t("home.go.results"), _arrow(False))
            else:
                navigation.link(name, t("home.watch" if is_live else f"home.go.{name}"), _arrow(name == following))


def _counted(name: str, done: int) -> str:
    """The backend lists at most LISTED runs: beyond that the number is a lower bound, and says so."""
    if name in ("training", "testing") and done >= LISTED:
        return t(f"home.many.{name}", count=LISTED)
    return count(f"home.done.{name}", done)


def _arrow(is_next: bool) -> str:
    return ":material/arrow_forward:" if is_next else ":material/chevron_right:"


def _demo_button() -> None:
    if st.button(t("home.demo"), key="import_demo", type="primary", icon=":material/auto_awesome:", width="stretch"):
        with error_box.guard(stop=False):
            with st.spinner(t("home.demo_busy")):
                dataset = api().import_demo(DemoImport(name=t("home.demo_name")))
            st.toast(t("home.demo_done", name=dataset.name), icon=":material/check_circle:")
            st.rerun()
