"""Threads for pages while agents and scripts hold theirs."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from anyio import to_thread
from fastapi import Request

from backend.api.thread_limits import ThreadLimits, in_agent_thread, in_script_thread

MORE_THAN_ALL_THREADS = 60


@pytest.mark.parametrize("in_thread", [in_agent_thread, in_script_thread])
def test_a_page_gets_a_thread_while_agents_or_scripts_wait_for_a_store(in_thread: Callable[..., Any]) -> None:
    store_answers = threading.Event()
    app = SimpleNamespace(state=SimpleNamespace(thread_limits=ThreadLimits()))
    request = Request({"type": "http", "app": app})

    async def scenario() -> str:
        async with anyio.create_task_group() as waiting:
            for _ in range(MORE_THAN_ALL_THREADS):
                waiting.start_soon(in_thread, request, store_answers.wait)
            await anyio.wait_all_tasks_blocked()
            try:
                with anyio.fail_after(20):
                    return await to_thread.run_sync(lambda: "page")
            finally:
                store_answers.set()

    assert anyio.run(scenario) == "page"
