"""The REST API as one FastAPI application: `create_app(settings)`."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from backend.api import (
    agent_routes,
    dataset_routes,
    error_handlers,
    health_routes,
    item_routes,
    near_duplicate_routes,
    object_routes,
    pipeline_routes,
    project_data_routes,
    project_routes,
    queue_routes,
    run_routes,
    solution_routes,
    ticket_routes,
    upload_routes,
    worker_routes,
)
from backend.api.access import installation_only
from backend.api.thread_limits import ThreadLimits
from backend.settings import Settings
from backend.wiring import build_services, connect


def create_app(settings: Settings) -> FastAPI:
    """Build the application; stores are connected when it starts and released when it stops.

    Raises ValueError when the installation's token is missing: without it anybody on this machine could run code.
    """
    if not settings.api_token:
        raise ValueError("ARM_API_TOKEN is not set: start the workstation with `arm up`, or set a long random token")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.thread_limits = ThreadLimits()
        connections = connect(settings)
        app.state.connections = connections
        app.state.services = build_services(connections, settings)
        app.state.services.clean_up()
        housekeeping = app.state.services.housekeeping
        housekeeping.start(app.state.services.chores())
        supervision = app.state.services.run.supervision
        supervision.start()
        # What exists now stays: a full collection would look through all of it again, 80 ms in the middle of a request.
        gc.collect()
        gc.freeze()
        yield
        supervision.stop()
        housekeeping.stop()
        app.state.services.pipelines.close()
        connections.close()

    app = FastAPI(title="АРМ Разработчика", lifespan=lifespan)
    app.state.settings = settings
    error_handlers.install(app)
    private = APIRouter(prefix="/api", dependencies=[Depends(installation_only)])
    private.include_router(dataset_routes.router)
    private.include_router(near_duplicate_routes.router)
    private.include_router(item_routes.router)
    private.include_router(project_routes.router)
    private.include_router(pipeline_routes.router)
    private.include_router(upload_routes.router)
    private.include_router(solution_routes.router)
    private.include_router(run_routes.router)
    private.include_router(worker_routes.router)
    private.include_router(queue_routes.router)
    app.include_router(private)
    app.include_router(health_routes.router, prefix="/api")
    app.include_router(agent_routes.router, prefix="/api")
    app.include_router(project_data_routes.router, prefix="/api")
    app.include_router(ticket_routes.router, prefix="/api")
    app.include_router(object_routes.router, prefix="/api")
    return app


def app_from_environment() -> FastAPI:
    """The application for `uvicorn --factory backend.main:app_from_environment`."""
    return create_app(Settings())
