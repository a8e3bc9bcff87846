"""A whole workstation, started the way a user does, and one browser."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

from app.api_client import Api

ROOT = Path(__file__).resolve().parents[2]
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=20_000)  # not 5: the machine may be busy with the other half of the tests


@dataclass(frozen=True)
class Workstation:
    """Address of the pages, a client of the same backend, where its data is, and the process of `arm up`."""

    url: str
    api: Api
    home: Path
    pid: int


@pytest.fixture(scope="module")
def workstation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workstation]:
    home = tmp_path_factory.mktemp("workstation")
    env = {key: value for key, value in os.environ.items() if not key.startswith("ARM_")}
    env |= {"ARM_HOME": str(home), "ARM_LANG": "en", "ARM_UI_PORT": str(free_port()), "ARM_API_PORT": str(free_port())}
    command = [sys.executable, "-m", "backend.cli", "up"]
    with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.strip().startswith("http"):
                    break
            else:
                pytest.fail("arm up ended: " + "".join(lines))
            token = (home / "secrets" / "api-token").read_text().strip()
            base_url = (home / "api-url").read_text().strip()
            with httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
                yield Workstation(lines[-1].strip(), Api(client), home, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


@pytest.fixture(scope="module")
def browser_context() -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        executable = "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None
        browser = playwright.chromium.launch(executable_path=executable, args=BROWSER_ARGUMENTS)
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
        context.set_default_timeout(60_000)
        yield context
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
