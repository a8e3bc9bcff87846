"""Who may call what: the installation's token opens everything, a run's token only that run.

Users and roles come later.
"""

import hmac
from collections.abc import Callable

from fastapi import Request

from backend.domain.errors import NotAllowedError


def bearer_token(request: Request) -> str:
    """The token of a request, or an empty string."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


async def installation_only(request: Request) -> None:
    """Dependency of every route but the agents': raises NotAllowedError unless the installation's token came along."""
    if not hmac.compare_digest(bearer_token(request).encode(), request.app.state.settings.api_token.encode()):
        raise NotAllowedError("token_refused")


def run_token_checker(is_run_token: Callable[[str, str], bool]) -> Callable[[Request, str], None]:
    """Dependency of the agents' routes: `is_run_token(run_id, token)` decides."""

    def check(request: Request, run_id: str) -> None:
        if not is_run_token(run_id, bearer_token(request)):
            raise NotAllowedError("token_refused")

    return check
