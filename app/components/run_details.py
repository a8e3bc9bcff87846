"""Everything needed to repeat a run, and the files it left."""

from urllib.parse import quote

import streamlit as st

from app.api_client import api
from app.components import error_box
from app.format import duration, moment, size
from app.i18n import t
from backend.contracts.reports import Artifact
from backend.contracts.runs import Run


def show(run: Run) -> None:
    """Parameters, sample, hashes and timings of `run`; then its artifacts as downloads."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader(t("details.parameters"), anchor=False)
        _pairs([(f"{group} / {name}", value) for group, values in run.params.items() for name, value in values.items()])
        st.subheader(t("details.sample"), anchor=False)
        with error_box.guard(stop=False):
            _pairs(_samples(run))
    with right:
        st.subheader(t("details.repeat"), anchor=False)
        _pairs(_identity(run))
        st.subheader(t("details.timings"), anchor=False)
        _pairs(_timings(run))
    with error_box.guard(stop=False):
        _artifacts(api().artifacts(run.id))


def _samples(run: Run) -> list[tuple[str, object]]:
    names = {
        one.dataset_id: t("details.deleted_dataset", name=one.deleted_dataset)
        if one.deleted_dataset
        else api().dataset(one.dataset_id).name
        for one in {sample.dataset_id: sample for sample in run.samples}.values()
    }
    return [
        (
            t(f"sample.role.{one.role}"),
            t(
                "details.sample_value",
                dataset=names[one.dataset_id],
                version=one.version,
                split=t(f"datasets.sample.{one.split}").lower(),
            ),
        )
        for one in run.samples
    ]


def _identity(run: Run) -> list[tuple[str, object]]:
    return [
        (t("details.run_id"), run.id),
        (t("details.entry_file"), run.entry_file),
        (t("details.arguments"), run.arguments or "–"),
        (t("details.device"), run.device),
        (t("details.seed"), "–" if run.seed is None else run.seed),
        *([(t("details.language"), t(f"details.language.{run.language}"))] if run.language else []),
        *([(t("details.processes"), run.processes)] if run.processes > 1 else []),
        *_limits(run),
        (t("details.code"), run.code_sha256),
        *[(t("details.weights"), sha256) for sha256 in run.weights],
        (t("details.isolation"), t(f"isolation.{run.isolation}") if run.isolation else "–"),
        (t("details.network"), t(f"network.{_network(run)}")),
        (t("details.exit_code"), "–" if run.exit_code is None else run.exit_code),
    ]


def _limits(run: Run) -> list[tuple[str, object]]:
    """Only those that were set: a run without limits has nothing to say of them."""
    limits = run.limits
    rows = [
        (t("details.time_limit"), limits.time_s and duration(limits.time_s)),
        (t("details.memory_limit"), limits.memory_mb and t("details.megabytes", count=limits.memory_mb)),
        (t("details.threads"), limits.threads),
        (t("details.retries"), run.retries),
    ]
    return [(name, value) for name, value in rows if value]


def _network(run: Run) -> str:
    """A plain process is not kept from the network, whatever its run asks for."""
    return "open" if run.network or run.isolation == "process" else "closed"


def _timings(run: Run) -> list[tuple[str, object]]:
    return [
        (t("details.created"), moment(run.created_at)),
        (t("details.started"), moment(run.started_at)),
        (t("details.finished"), moment(run.finished_at)),
        (t("details.queue"), duration(run.timings.queue_s)),
        (t("details.first_call"), duration(run.timings.first_line_s)),
        (t("details.total"), duration(run.timings.total_s)),
    ]


def _pairs(pairs: list[tuple[str, object]]) -> None:
    if not pairs:
        st.caption(t("details.nothing"))
        return
    columns = {t("details.name"): [name for name, _ in pairs], t("details.value"): [str(value) for _, value in pairs]}
    st.dataframe(columns, hide_index=True, row_height=30)


def _artifacts(artifacts: list[Artifact]) -> None:
    st.subheader(t("details.artifacts"), anchor=False)
    if not artifacts:
        st.caption(t("details.no_artifacts"))
        return
    rows = [
        {
            t("artifact.path"): artifact.path,
            t("artifact.kind"): artifact.kind,
            t("artifact.size"): size(artifact.size_bytes),
            t("artifact.sha256"): artifact.sha256,
            t("artifact.download"): f"/download/{artifact.sha256}/{quote(artifact.path.rsplit('/', 1)[-1], safe='')}",
        }
        for artifact in artifacts
    ]
    link = st.column_config.LinkColumn(display_text=":material/download:", width="small")
    st.dataframe(rows, hide_index=True, row_height=30, column_config={t("artifact.download"): link})
