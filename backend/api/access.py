"""Who may call what: the installation's token opens everything, a run's token only that run.

Users and roles come later.
"""

import hmac

from fastapi import Request

from backend.domain.errors import NotAllowedError


def bearer_token(request: Request) -> str:
    """The token of a request, or an empty string."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def has_installation_token(request: Request) -> bool:
    """Whether the installation's token came along."""
    return hmac.compare_digest(bearer_token(request).encode(), request.app.state.settings.api_token.encode())


async def installation_only(request: Request) -> None:
    """Dependency of every route but the agents': raises NotAllowedError unless the installation's token came along."""
    if not has_installation_token(request):
        raise NotAllowedError("token_refused")
