"""Ways in and out of the library of pipelines: new file, import, examples, export, versions."""

import io
from pathlib import PurePosixPath

import streamlit as st

from app.api_client import Api, api
from app.components import error_box
from app.components.pipeline_draft import Draft, draw_again
from app.format import moment, plain
from app.i18n import t
from app.query import remember
from backend.contracts.pipelines import PipelineFile, PipelineVersionCreate
from backend.contracts.projects import Project, ProjectCreate, ProjectUpdate

TEMPLATE = """atp: 1
params: {epochs: 3, lr: 0.01}

model: {"#torch.nn.Linear": [4, 1]}
crit: {"#torch.nn.MSELoss": }
optimizer: {"#torch.optim.SGD": {0_params: "@model.parameters()", lr: "@params.lr"}}
graph: {"#PlatformAPI.get_train_graph_logger": }

main:
  iterator: {"#range": "@params.epochs", output: epoch}
  process:
    - {"#torch.randn": [16, 4], output: inputs}
    - {"#torch.zeros": [16, 1], output: targets}
    - {"@model": $inputs, output: outputs}
    - {"@crit": [$outputs, $targets], output: loss}
    - "@optimizer.zero_grad"
    - $loss.backward
    - "@optimizer.step"
    - "@graph.log_point": {name: TRAIN_LOSS, value: $loss, epoch: $epoch, iter: $loop.index}
  output: loss
"""


def show_examples_button(key: str) -> None:
    """A button that makes a project of the shipped pipelines."""
    if st.button(t("pipelines.open_examples"), key=key, icon=":material/school:"):
        with error_box.guard(stop=False):
            project = api().open_pipeline_examples(ProjectCreate(name=t("pipelines.examples_project")))
            remember(project=project.id, pipeline=None, run=None)
            st.rerun()


def show_ways_in(project: Project) -> None:
    """New file, import, examples."""
    with st.popover(t("pipelines.add"), icon=":material/add:", key="pipeline_add"):
        with st.form("pipeline_new", border=False):
            name = st.text_input(t("pipelines.new_name"), value="train.yaml", key="pipeline_new_name")
            is_new = st.form_submit_button(t("pipelines.create"), icon=":material/note_add:", key="pipeline_create")
        if is_new:
            with error_box.guard(stop=False):
                path = name.strip()
                if any(file.path == path for file in project.code.files):
                    st.error(t("pipelines.name_taken", path=plain(path)), icon=":material/error:")
                else:
                    api().import_pipeline(project.id, path, io.BytesIO(TEMPLATE.encode()))
                    _open(project, path)
        uploaded = st.file_uploader(t("pipelines.import"), type=["yaml", "yml"], key="pipeline_import_file")
        if uploaded is not None and st.button(
            t("pipelines.import_start"), key="pipeline_import", icon=":material/upload:"
        ):
            with error_box.guard(stop=False):
                path = PurePosixPath(uploaded.name).name
                api().import_pipeline(project.id, path, uploaded)
                _open(project, path)
        show_examples_button("pipeline_examples")


def _open(project: Project, path: str) -> None:
    remember(project=project.id, pipeline=path, run=None)
    st.rerun()


def _show_launch_file(client: Api, draft: Draft) -> None:
    if client.project(draft.project_id).train_file == draft.path:
        st.caption(f":material/rocket_launch: {t('pipelines.is_launch_file')}")
    elif st.button(
        t("pipelines.make_launch_file"),
        key="pipeline_make_launch_file",
        icon=":material/rocket_launch:",
        help=t("pipelines.make_launch_file_help"),
    ):
        client.update_project(draft.project_id, ProjectUpdate(train_file=draft.path))
        draw_again()


def show_versions(draft: Draft, file: PipelineFile) -> None:
    """Keep the saved state under a number, bring an older one back into the editor, export the text."""
    client = api()
    with error_box.guard(stop=False):
        versions = client.pipeline_versions(draft.project_id, draft.path)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                t("pipelines.export"),
                draft.text.encode(),
                file_name=PurePosixPath(draft.path).name,
                mime="application/yaml",
                icon=":material/download:",
                key="pipeline_export",
                on_click="ignore",
            )
            _show_launch_file(client, draft)
        is_kept = bool(versions) and versions[0].sha256 == file.sha256
        with st.form("pipeline_keep", border=False):
            note = st.text_input(t("pipelines.note"), max_chars=500, key="pipeline_note")
            is_pressed = st.form_submit_button(
                t("pipelines.keep"), icon=":material/bookmark_add:", disabled=is_kept or draft.is_dirty
            )
        if is_pressed:
            client.keep_pipeline_version(draft.project_id, PipelineVersionCreate(path=draft.path, note=note))
            draw_again()
        st.caption(t("pipelines.keep_first_save" if draft.is_dirty else "pipelines.versions_what"))
        for version in versions:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                title = t("pipelines.version", number=version.number, time=moment(version.created_at))
                st.markdown(f"**{title}** {plain(version.note)}")
                st.space("stretch")
                if st.button(t("pipelines.restore"), key=f"pipeline_restore_{version.number}", type="tertiary"):
                    draft.replace(client.object_bytes(version.sha256).decode("utf-8", errors="replace"))
                    draw_again()
