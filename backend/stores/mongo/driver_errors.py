"""Driver errors become the backend's own at the store's border."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from pymongo.errors import PyMongoError

from backend.domain.errors import UnavailableError

Store = TypeVar("Store")


def translates_driver_errors(store: type[Store]) -> type[Store]:
    """Class decorator: whatever pymongo raises in a public method leaves it as UnavailableError('store_unavailable').

    Errors that mean something to a method (a duplicate key) are answered inside it before they reach this.
    """
    for name, member in list(vars(store).items()):
        if callable(member) and not name.startswith("_"):
            setattr(store, name, _translated(member))
    return store


def _translated(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except PyMongoError as error:
            raise UnavailableError("store_unavailable", store="MongoDB", detail=str(error)[:300]) from error

    return call
