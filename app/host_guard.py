"""Refuses requests that name a host which is not ours: the defence of a loopback server against DNS rebinding."""

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class HostGuard:
    """ASGI middleware over HTTP and WebSocket; the port in the header does not matter."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421 (over WebSocket: refuse the handshake)."""
        if scope["type"] == "lifespan" or _host_without_port(Headers(scope=scope).get("host", "")) in self._hosts:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse("This host name is not served here.", status_code=421)(scope, receive, send)


def _host_without_port(header: str) -> str:
    host = header.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
