"""Workers with their devices, what runs on each, and how to drain or remove a worker."""

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from app import navigation
from app.api_client import api
from app.components import error_box, run_badge
from app.format import decimal, duration, plain, size
from app.i18n import count, t
from backend.contracts.workers import Device, DiskUse, Worker, WorkerRun


def show(workers: list[Worker]) -> None:
    """One box a worker; without any, how to start one."""
    if not any(worker.is_alive for worker in workers):
        st.info(t("queue.no_workers"), icon=":material/dns:")
    for worker in workers:
        with st.container(border=True, key=f"worker_{worker.name}", gap="small"):
            _show_worker(worker)


def _show_worker(worker: Worker) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{plain(worker.name)}**", width="content")
        _state_badge(worker)
        for label in worker.labels:
            st.badge(plain(label), color="gray", icon=":material/label:")
        st.space("stretch")
        _show_actions(worker)
    for device in worker.devices:
        _show_device(device, [run for run in worker.runs if run.device == device.name], worker.is_alive)
    if worker.disk is not None:
        _show_disk(worker.disk, worker.is_disk_low and worker.is_alive)


def _show_disk(disk: DiskUse, is_low: bool) -> None:
    if is_low:
        st.warning(t("queue.disk_low", free=size(disk.free_bytes)), icon=":material/hard_drive:")
    free = t("queue.disk_free", free=size(disk.free_bytes), total=size(disk.total_bytes))
    folders = count("queue.disk_folders", disk.run_folder_count, size=size(disk.run_folders_bytes))
    cache = t("queue.disk_cache", size=size(disk.cache_bytes), limit=size(disk.cache_limit_bytes))
    days = t("queue.disk_help", days=decimal(f"{disk.keep_days:g}"), limit=size(disk.cache_limit_bytes))
    st.caption(f":material/hard_drive: {free} · {folders} · {cache}", help=days)


def _state_badge(worker: Worker) -> None:
    if not worker.is_alive:
        silent_s = (datetime.now(UTC) - worker.last_seen).total_seconds()
        st.badge(t("queue.away", duration=duration(silent_s)), color="red", icon=":material/link_off:")
    elif worker.is_draining:
        st.badge(t("queue.draining"), color="orange", icon=":material/pause_circle:")
    else:
        st.badge(t("queue.alive"), color="green", icon=":material/check_circle:")


def _show_device(device: Device, runs: list[WorkerRun], is_alive: bool) -> None:
    name, used, content = st.columns([3, 2, 7], vertical_alignment="center")
    name.markdown(f"`{device.name}`" + (f" {plain(device.title)}" if device.title.lower() != device.name else ""))
    used.markdown(f":gray[{t('queue.slots', used=len(runs), slots=device.slots)}]")
    with content:
        if not runs:
            st.caption(t("queue.free") if is_alive else "–")
        for run in runs:
            _show_run(run)


def _show_run(run: WorkerRun) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        page = "training" if run.kind == "train" else "testing"
        navigation.link(page, run_badge.title(run), project=run.project_id, run=run.id)
        state = (
            t("run.progress", percent=f"{run.progress:.0f}") if run.state == "running" else t(f"run.state.{run.state}")
        )
        st.markdown(f":small[:gray[{state}]]", width="content")


def _show_actions(worker: Worker) -> None:
    if not worker.is_alive and not worker.runs:
        _button("remove", worker, ":material/delete:", api().remove_worker)
    elif worker.is_draining:
        _button("undrain", worker, ":material/play_arrow:", api().undrain_worker)
    else:
        _button("drain", worker, ":material/pause:", api().drain_worker)


def _button(verb: str, worker: Worker, icon: str, act: Callable[[str], None]) -> None:
    if st.button(t(f"queue.{verb}"), key=f"{verb}_{worker.name}", icon=icon, help=t(f"queue.{verb}.help")):
        with error_box.guard(stop=False):
            act(worker.name)
            st.rerun()
