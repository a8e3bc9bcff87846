"""What a run is started with: data, device, parameters, arguments and, for a test, whose weights."""

import streamlit as st

from app import navigation, session_keys
from app.api_client import Api, api
from app.components import launch_options, parameter_form, picker, sample_picker
from app.i18n import language, t
from app.query import query_id
from backend.contracts.datasets import Dataset, Split
from backend.contracts.parameters import Parameter
from backend.contracts.pipelines import PIPELINE_SUFFIXES, PipelineCheck
from backend.contracts.projects import Project
from backend.contracts.runs import FINAL_STATES, Run, RunCreate, RunKind

NO_RUN = ""
_ROLES: dict[RunKind, tuple[Split, ...]] = {"train": ("train", "val", "test"), "test": ("test",)}


def show(
    kind: RunKind, project: Project, pipeline: str = "", pipeline_parameters: tuple[Parameter, ...] = ()
) -> RunCreate | None:
    """Draw the form; the request when Start was pressed, else None. Calls the API: use inside error_box.guard.

    With the path of a `pipeline` that file is run, with its own parameters, instead of the project's launch file, which
    may be a pipeline too.
    """
    entry_file = pipeline or (project.train_file if kind == "train" else project.test_file)
    if not entry_file:
        st.info(t(f"launch.no_file.{kind}"), icon=":material/draft:")
        navigation.link("projects", t("launch.open_project"), project=project.id)
        return None
    key = f"launch_{pipeline or kind}_{project.id}"
    client = api()
    fields: dict[str, object] = {"language": language()}
    preferred = None
    if kind == "test":
        weights = _weights(client, project, key)
        fields["train_run_id"] = weights.id if weights else None
        preferred = weights.samples[0].dataset_id if weights and weights.samples else None
    columns = st.columns(4)
    with columns[0]:
        dataset = sample_picker.show_dataset(client.datasets(), key, preferred)
    with columns[1]:
        if dataset is not None:
            fields["dataset_id"] = dataset.id
            fields["dataset_version"] = sample_picker.show_version(dataset, client.versions(dataset.id), key)
    with columns[2]:
        fields["device"] = _device(client, project, key)
    with columns[3]:
        own = "" if pipeline else project.arguments  # those of a script mean nothing to a pipeline
        help_text = t("pipelines.arguments_help") if pipeline else None
        fields["arguments"] = st.text_input(t("launch.arguments"), value=own, key=f"{key}_arguments", help=help_text)
    if dataset is not None:
        sample_picker.show_contents(dataset)
    with st.expander(t("launch.more"), key=f"{key}_more"):
        fields |= _more(client, kind, project, dataset, key)
    declared = project.parameters.train if kind == "train" else project.parameters.test
    is_pipeline = entry_file.endswith(PIPELINE_SUFFIXES)
    if is_pipeline:
        declared = pipeline_parameters if pipeline else _saved_parameters(client, project, entry_file)
    fields["params"] = parameter_form.show(declared, key)
    if not declared:
        st.caption(t("pipelines.no_parameters" if is_pipeline else "launch.no_parameters"))
    if pipeline:
        fields["pipeline"] = pipeline
    is_pressed = st.button(
        t("pipelines.run" if pipeline else f"launch.start.{kind}"),
        key=f"{key}_start",
        type="primary",
        icon=":material/play_arrow:",
    )
    return RunCreate(project_id=project.id, kind=kind, **fields) if is_pressed else None


def _more(client: Api, kind: RunKind, project: Project, dataset: Dataset | None, key: str) -> dict[str, object]:
    fields: dict[str, object] = {}
    if dataset is not None:
        fields["split_roles"] = sample_picker.show_roles(dataset, _ROLES[kind], key)
    if kind == "train" and project.weights:
        fields["project_weights"] = st.checkbox(
            t("launch.from_own_weights"),
            value=True,
            key=f"{key}_own_weights",
            help=t("launch.from_own_weights_help"),
        )
    return fields | launch_options.show(client.workers(), key)


def _saved_parameters(client: Api, project: Project, path: str) -> tuple[Parameter, ...]:
    """Those of a pipeline that is the launch file; none of one that is gone or in error, which its start will tell."""
    sha256 = next((file.sha256 for file in project.code.files if file.path == path), None)
    if sha256 is None:
        return ()
    text = client.object_bytes(sha256).decode("utf-8", errors="replace")
    body = PipelineCheck(path=path, text=text, language="ru" if language() == "ru" else "en")
    return client.check_pipeline(project.id, body).parameters


def _device(client: Api, project: Project, key: str) -> str:
    titles = {device.name: device.title for device in client.devices()}
    names = list(titles) or [project.device]
    chosen = st.selectbox(
        t("launch.device"),
        names,
        index=names.index(project.device) if project.device in names else 0,
        format_func=lambda name: f"{name} · {titles[name]}" if titles.get(name, name) != name else name,
        key=f"{key}_device",
    )
    if not titles:
        st.caption(f":orange[{t('launch.no_worker')}]")
    return chosen


def _weights(client: Api, project: Project, key: str) -> Run | None:
    """Which training run's weights are tested: the one asked for in the URL, else the newest finished."""
    runs = [one for one in client.runs(project_id=project.id, kind="train") if one.state in FINAL_STATES]
    by_id = {one.id: one for one in runs}
    finished = [one.id for one in runs if one.state == "finished"]
    wanted = [query_id("train_run"), st.session_state.get(session_keys.LAST_TRAIN_RUN), *finished]
    default = next((run_id for run_id in wanted if run_id in by_id), NO_RUN)
    options = [NO_RUN, *by_id]
    own = t("launch.own_weights" if project.weights else "launch.no_weights")
    chosen = st.selectbox(
        t("launch.weights"),
        options,
        index=options.index(default),
        format_func=lambda run_id: picker.run_label(by_id[run_id]) if run_id else own,
        key=f"{key}_weights_{default}_{language()}",
        help=t("launch.weights_help"),
    )
    return by_id.get(chosen)
