"""What a run may be given beyond data and parameters: seed, repetitions, place in the queue, processes and limits.

Every field starts at what happens without it, so whoever needs none of them reads none of them.
"""

import streamlit as st

from app.i18n import t
from backend.contracts.runs import PRIORITY_MAX, RunLimits
from backend.contracts.workers import Worker

LARGEST_SEED = 2**32 - 1
"""NumPy takes no larger one."""
MOST_PROCESSES = 64
MOST_RETRIES = 10
MOST_THREADS = 4096
LONGEST_MIN = 366 * 24 * 60
MOST_MEMORY_GB = 16384.0
MB_PER_GB = 1024


def show(workers: list[Worker], key: str) -> dict[str, object]:
    """Draw two rows of four fields; returns them as fields of RunCreate."""
    fields: dict[str, object] = {}
    for row in ((_seed, _retries, _priority, _labels), (_processes, _time_limit, _memory_limit, _threads)):
        for column, draw in zip(st.columns(4, vertical_alignment="bottom"), row, strict=True):
            with column:
                fields.update(draw(workers, key))
    given = {name: fields.pop(name) for name in RunLimits.model_fields}
    return {**fields, "limits": RunLimits.model_validate(given)}


def _seed(_workers: list[Worker], key: str) -> dict[str, object]:
    return {"seed": _optional("seed", key, low=0, high=LARGEST_SEED)}


def _retries(_workers: list[Worker], key: str) -> dict[str, object]:
    return {"retries": _counted("retries", key, 0, MOST_RETRIES, 0, t("launch.retries_help"))}


def _priority(_workers: list[Worker], key: str) -> dict[str, object]:
    return {"priority": _counted("priority", key, -PRIORITY_MAX, PRIORITY_MAX, 0, t("queue.priority_help"))}


def _labels(workers: list[Worker], key: str) -> dict[str, object]:
    labels = st.multiselect(
        t("launch.labels"),
        sorted({label for worker in workers for label in worker.labels}),
        key=f"{key}_labels",
        help=t("launch.labels_help"),
        placeholder=t("launch.any_worker"),
    )
    return {"labels": tuple(labels)}


def _processes(_workers: list[Worker], key: str) -> dict[str, object]:
    return {"processes": _counted("processes", key, 1, MOST_PROCESSES, 1, t("launch.processes_help"))}


def _time_limit(_workers: list[Worker], key: str) -> dict[str, object]:
    minutes = _optional("time_limit", key, low=1, high=LONGEST_MIN)
    return {"time_s": None if minutes is None else minutes * 60.0}


def _memory_limit(_workers: list[Worker], key: str) -> dict[str, object]:
    gigabytes = st.number_input(
        t("launch.memory_limit"),
        min_value=0.1,
        max_value=MOST_MEMORY_GB,
        value=None,
        step=0.5,
        format="%g",
        placeholder=t("launch.memory_limit_none"),
        help=t("launch.memory_limit_help"),
        key=f"{key}_memory_limit",
    )
    return {"memory_mb": None if gigabytes is None else round(gigabytes * MB_PER_GB)}


def _threads(_workers: list[Worker], key: str) -> dict[str, object]:
    return {"threads": _optional("threads", key, low=1, high=MOST_THREADS)}


def _optional(name: str, key: str, low: int, high: int) -> int | None:
    """A whole number that need not be given; the placeholder says what happens then."""
    return st.number_input(
        t(f"launch.{name}"),
        min_value=low,
        max_value=high,
        value=None,
        step=1,
        placeholder=t(f"launch.{name}_none"),
        help=t(f"launch.{name}_help"),
        key=f"{key}_{name}",
    )


def _counted(name: str, key: str, low: int, high: int, value: int, help_text: str) -> int:
    return st.number_input(
        t(f"launch.{name}"), min_value=low, max_value=high, value=value, key=f"{key}_{name}", help=help_text
    )
