"""The UI's process: Streamlit and the routes that its pages need, served by one uvicorn.

    python -m app.server --port 8500 --api-url http://127.0.0.1:8600/api

Not guarded yet: there is no sign-in, so whoever can open a socket to this port on this machine acts as the only user.
Until sign-in comes, the server binds to loopback and refuses requests whose Host is not a loopback name, so that a
page on the internet cannot reach it by rebinding its own name (DNS rebinding), and it sends no CORS headers.
Reads ARM_API_URL, ARM_API_TOKEN, ARM_UI_PORT and ARM_UI_HOSTS (more host names, separated by commas).
"""

import argparse
import os
from collections.abc import Collection
from pathlib import Path

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from app.api_client import DEFAULT_API_URL, api_headers, api_url
from app.components import error_box
from app.host_guard import LOOPBACK_HOSTS, HostGuard
from app.proxy import Proxy

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_PORT = 8500


def create_app(hosts: Collection[str] = LOOPBACK_HOSTS) -> ASGIApp:
    """The ASGI application; `hosts` are the names under which it may be asked."""
    proxy = Proxy(api_url(), api_headers())
    return st.App(
        ROOT / "app" / "main.py",
        routes=proxy.routes(),
        middleware=[Middleware(HostGuard, hosts=frozenset(hosts))],
        lifespan=proxy.lifespan,
        on_script_error=error_box.show_fault,
    )


def main() -> None:
    """Serve until interrupted."""
    arguments = _parsed_arguments()
    # Streamlit runs the pages in this process; app.api_client reads the address where every page does
    os.environ["ARM_API_URL"] = arguments.api_url
    os.chdir(ROOT)  # Streamlit looks for .streamlit/config.toml in the working directory
    extra_hosts = [name for name in os.environ.get("ARM_UI_HOSTS", "").split(",") if name]
    uvicorn.run(
        create_app([*LOOPBACK_HOSTS, *extra_hosts]),
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        log_level="warning",
        ws_max_size=256 << 20,
        timeout_graceful_shutdown=3,  # an open browser tab holds its socket for ever
    )


def _parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app.server", description="Serve the workstation's pages.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("ARM_UI_PORT", DEFAULT_PORT)))
    parser.add_argument("--api-url", default=os.environ.get("ARM_API_URL", DEFAULT_API_URL))
    return parser.parse_args()


if __name__ == "__main__":
    main()
