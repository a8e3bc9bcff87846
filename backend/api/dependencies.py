"""What routes ask for: services and settings of the running application."""

import hmac
from typing import Annotated, cast

from fastapi import Depends, Request

from backend.api.access import bearer_token
from backend.domain.errors import NotAllowedError
from backend.services.dataset_service import DatasetService
from backend.services.thumbnails import Thumbnails
from backend.settings import Settings
from backend.stores.object_store import ObjectStore
from backend.wiring import Connections, Services


def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


def _objects(request: Request) -> ObjectStore:
    return cast(Connections, request.app.state.connections).objects


def _datasets(request: Request) -> DatasetService:
    return _services(request).datasets


def _thumbnails(request: Request) -> Thumbnails:
    return _services(request).thumbnails


def object_reader(request: Request, sha256: str) -> None:
    """Who may read an object: the installation, or a run for the objects that it names. Raises NotAllowedError."""
    token = bearer_token(request)
    if hmac.compare_digest(token.encode(), _settings(request).api_token.encode()):
        return
    if not token or not _services(request).is_object_of_run(token, sha256):
        raise NotAllowedError("token_refused")


SettingsOf = Annotated[Settings, Depends(_settings)]
ServicesOf = Annotated[Services, Depends(_services)]
ObjectsOf = Annotated[ObjectStore, Depends(_objects)]
DatasetsOf = Annotated[DatasetService, Depends(_datasets)]
ThumbnailsOf = Annotated[Thumbnails, Depends(_thumbnails)]
