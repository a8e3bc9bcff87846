"""Threads that requests of one kind may hold at a time, so that pages find free ones whatever else is going on.

FastAPI's own forty are everybody's: fifty agents that ship at once would hold them all, and a page would wait its turn.
Few threads for many agents cost them nothing either, since all threads share one interpreter lock.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from fastapi import Request

AGENT_THREADS = 8
SCRIPT_THREADS = 8
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ThreadLimits:
    """One for each application: `app.state.thread_limits`."""

    agents: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(AGENT_THREADS))
    scripts: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(SCRIPT_THREADS))


async def in_agent_thread(request: Request, call: Callable[..., Answer], *args: Any) -> Answer:
    """What an agent asked for, done in a thread; waits while too many agents are being answered."""
    return await to_thread.run_sync(call, *args, limiter=_limits(request).agents)


async def in_script_thread(request: Request, call: Callable[..., Answer], *args: Any) -> Answer:
    """What a script asked for, done in a thread; waits while too many scripts are being answered."""
    return await to_thread.run_sync(call, *args, limiter=_limits(request).scripts)


def _limits(request: Request) -> ThreadLimits:
    return cast(ThreadLimits, request.app.state.thread_limits)
