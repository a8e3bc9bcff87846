"""Is the backend alive, and does it reach its stores? Asked by `arm up`, the pages' status dot and monitoring."""

from typing import cast

from fastapi import APIRouter, Request

from backend.wiring import Connections

router = APIRouter(tags=["health"])


@router.get("/health")
def health(request: Request) -> dict[str, str]:
    """`status` is ok or degraded; each store is ok or away. Needs no token and tells nothing else."""
    stores = cast(Connections, request.app.state.connections).health()
    return {"status": "ok" if set(stores.values()) == {"ok"} else "degraded", **stores}
