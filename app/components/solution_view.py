"""The catalogue of exported solutions, and one version of one of them."""

from itertools import groupby

import streamlit as st

from app import navigation, session_keys
from app.api_client import api
from app.components import code_browser, error_box
from app.format import moment, plain, size
from app.i18n import count, language, t
from app.query import remember
from backend.contracts.parameters import Parameter
from backend.contracts.projects import Solution


def show_catalogue(solutions: list[Solution]) -> None:
    """A card for each name with its newest version."""
    by_name = sorted(solutions, key=lambda one: (one.name, -one.version))
    newest = [(next(group), 1 + sum(1 for _ in group)) for _, group in groupby(by_name, key=lambda one: one.name)]
    for start in range(0, len(newest), 3):
        columns = st.columns(3)
        for column, (solution, versions) in zip(columns, newest[start : start + 3], strict=False):
            with column, st.container(border=True, height="stretch", key=f"solution_{solution.id}"):
                st.markdown(
                    f"**{plain(solution.name)}** :gray-badge[{t('solutions.numbered', number=solution.version)}]"
                )
                st.caption(plain(solution.description) or t("solutions.no_description"))
                facts = [count("solutions.versions", versions), count("solutions.weights_count", len(solution.weights))]
                st.caption(" · ".join([*facts, moment(solution.created_at)]))
                st.space("stretch")
                if st.button(t("solutions.details"), key=f"details_{solution.id}", icon=":material/chevron_right:"):
                    remember(solution=solution.id)
                    st.rerun()


def show_details(solution: Solution, versions: list[Solution]) -> None:
    """One version: how it is started, parameters, weights, code; download and open as a project."""
    _show_header(solution, versions)
    if st.session_state.get(session_keys.JUST_EXPORTED) == solution.id:
        st.success(t("solutions.export.done", version=solution.version), icon=":material/check_circle:")
    if solution.description:
        st.markdown(plain(solution.description))
    left, right = st.columns([1, 1], gap="large")
    with left:
        _show_facts(solution)
        st.markdown(f"**{t('solutions.weights')}**")
        _show_weights(solution)
    with right:
        st.markdown(f"**{t('solutions.files')}**")
        code_browser.show_files(solution.code.files, key=f"solution_files_{solution.id}")
    for kind in ("train", "test"):
        if parameters := getattr(solution.parameters, kind):
            st.markdown(f"**{t(f'solutions.parameters_{kind}')}**")
            _show_parameters(parameters, key=f"solution_{kind}_{solution.id}")


def _show_header(solution: Solution, versions: list[Solution]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("solutions.all"), key="all_solutions", icon=":material/arrow_back:", type="tertiary"):
            st.session_state.pop(session_keys.JUST_EXPORTED, None)
            remember(solution=None)
            st.rerun()
        st.subheader(plain(solution.name), anchor=False, width="content")
        numbers = {one.id: one.version for one in sorted(versions, key=lambda one: -one.version)}
        key = f"version_of_{solution.id}_{language()}"
        st.selectbox(
            t("solutions.version"),
            list(numbers),
            index=list(numbers).index(solution.id),
            format_func=lambda one: t("solutions.numbered", number=numbers[one]),
            key=key,
            width=150,
            label_visibility="collapsed",
            on_change=lambda: remember(solution=st.session_state[key]),
        )
        st.space("stretch")
        st.link_button(
            t("solutions.download"), f"/download/solutions/{solution.id}", icon=":material/download:", key="download"
        )
        if st.button(t("solutions.open"), key="open_solution", type="primary", icon=":material/folder_open:"):
            with error_box.guard(stop=False):
                project = api().open_solution(solution.id)
                navigation.go("projects", project=project.id)


def _show_facts(solution: Solution) -> None:
    facts = {
        "train_file": solution.train_file,
        "test_file": solution.test_file,
        "main_file": solution.main_file,
        "arguments": solution.arguments,
        "device": solution.device,
        "created": moment(solution.created_at),
    }
    names, values = t("solutions.setting"), t("solutions.value")
    rows = [{names: t(f"solutions.{name}"), values: value or "–"} for name, value in facts.items()]
    st.markdown(f"**{t('solutions.launch')}**")
    st.dataframe(rows, hide_index=True, key=f"facts_{solution.id}")


def _show_weights(solution: Solution) -> None:
    if not solution.weights:
        st.caption(t("solutions.no_weights"))
        return
    rows = [
        {
            t("solutions.download_column"): f"/download/{weights.sha256}/{weights.path.rsplit('/', 1)[-1]}",
            t("solutions.format"): weights.format,
            t("solutions.file"): weights.path,
            t("solutions.size"): size(weights.size_bytes),
        }
        for weights in solution.weights
    ]
    link = st.column_config.LinkColumn(display_text=":material/download:", width="small")
    st.dataframe(
        rows, hide_index=True, key=f"weights_{solution.id}", column_config={t("solutions.download_column"): link}
    )


def _show_parameters(parameters: tuple[Parameter, ...], key: str) -> None:
    columns = ("group", "name", "type", "default", "range", "description")
    rows = [
        {
            "group": one.group,
            "name": one.name,
            "type": t(f"projects.parameters.type.{one.type}"),
            "default": str(one.default),
            "range": _range(one),
            "description": one.description_in(language()),
        }
        for one in parameters
    ]
    titles = {name: st.column_config.Column(t(f"solutions.parameter.{name}")) for name in columns}
    st.dataframe(rows, hide_index=True, key=key, column_config=titles)


def _range(parameter: Parameter) -> str:
    if parameter.choices:
        return ", ".join(parameter.choices)
    if parameter.minimum is None and parameter.maximum is None:
        return ""
    low = "−∞" if parameter.minimum is None else f"{parameter.minimum:g}"
    high = "∞" if parameter.maximum is None else f"{parameter.maximum:g}"
    return f"{low} … {high}"
