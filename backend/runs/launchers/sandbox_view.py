"""What a script sees of this machine's disk inside bubblewrap, as options in the order in which they are mounted."""

import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from backend.runs.run_folder import RunFolder

SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Only what libraries look up, for each mount costs about 1 ms of the start. /etc as a whole holds keys and password
# hashes, which root's scripts could read.
SYSTEM_FILES = (
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime"),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/tls/certs", "/etc/pki/ca-trust"),
    *("/sys/devices/system/cpu", "/sys/devices/system/node"),
)
# A script of root's is still user 0 to the kernel, which asks only for that number before it changes a setting: without
# these mounts it could name a program in core_pattern that the machine's real root would run.
KERNEL_SETTINGS = tuple(
    f"/proc/{name}" for name in ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "tty", "driver", "mtrr")
)
NETWORK_FILES = ("/etc/hosts", "/etc/resolv.conf")
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
SDK_PACKAGES = ("PlatformAPI", "atp", "plat")
TMP_BYTES = 2 << 30
NAMES = {
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "passwd": "arm:x:1000:1000:script:/tmp:/bin/sh\n",
    "group": "arm:x:1000:\n",
}


def write_names(etc_dir: Path) -> None:
    """Write the files of /etc that give the script a user and a localhost; several agents may do so at once."""
    etc_dir.mkdir(parents=True, exist_ok=True)
    for name, text in NAMES.items():
        target = etc_dir / name
        if not target.exists():
            staged = target.with_name(f".{name}.{os.getpid()}")
            staged.write_text(text)
            staged.replace(target)


def view(folder: RunFolder, etc_dir: Path, is_network_open: bool, is_cuda: bool, env: Mapping[str, str]) -> list[str]:
    """Everything that is visible; all of it read-only but the run folder, /tmp and /dev/shm."""
    return [
        *_system(),
        *_names(etc_dir, is_network_open),
        *("--proc", "/proc"),
        *_read_only(KERNEL_SETTINGS),
        *("--dev", "/dev"),
        *(_cards() if is_cuda else ()),
        *("--size", str(TMP_BYTES), "--perms", "1777", "--tmpfs", "/tmp"),
        *_read_only(path for name in CERTIFICATE_VARIABLES if (path := env.get(name))),
        *_read_only(python_folders()),
        *_run_folder(folder),
        *("--remount-ro", "/"),
    ]


def _system() -> list[str]:
    options = ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM_LINKS:
        path = Path("/") / name
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            options += ["--ro-bind", str(path), str(path)]
    return options + _read_only(SYSTEM_FILES)


def _names(etc_dir: Path, is_network_open: bool) -> list[str]:
    hosts = ("hosts",) if not is_network_open else ()
    own = [name for name in NAMES if name != "hosts"]
    options = [part for name in (*own, *hosts) for part in ("--ro-bind", str(etc_dir / name), f"/etc/{name}")]
    return options + (_read_only(NETWORK_FILES) if is_network_open else [])


def _cards() -> list[str]:
    # All cards: the numbers of device files need not be CUDA's. CUDA_VISIBLE_DEVICES says which one is the run's.
    devices = [part for path in sorted(Path("/dev").glob("nvidia*")) for part in ("--dev-bind", str(path), str(path))]
    return [*devices, "--ro-bind-try", "/sys", "/sys"]


def _run_folder(folder: RunFolder) -> list[str]:
    options = ["--bind", str(folder.root), str(folder.root)]
    # Inputs are hard links into the cache that other runs use too; the logs are read by the agent, outside.
    closed = (folder.code_dir, folder.inputs_dir, folder.weights_dir, folder.run_json, folder.api_dir)
    for path in (*closed, folder.stdout_file, folder.stderr_file):
        options += ["--ro-bind", str(path), str(path)]
    # A mount can not be replaced by a link, which would lead the agent elsewhere.
    for path in (folder.events_dir, folder.artifacts_dir):
        options += ["--bind", str(path), str(path)]
    return options


def _read_only(paths: Iterable[str]) -> list[str]:
    return [part for path in paths for part in ("--ro-bind-try", path, path)]


@cache
def python_folders() -> tuple[str, ...]:
    """This Python's environment, the installation below it, and the SDK where it is installed as an editable."""
    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    prefixes += [str(Path(prefix).resolve()) for prefix in prefixes]
    found: list[str] = []
    for path in (*prefixes, *_sdk_folders()):
        if not any(Path(path).is_relative_to(seen) for seen in ("/usr", *found)):
            found.append(path)
    return tuple(found)


def _sdk_folders() -> list[str]:
    specs = [find_spec(name) for name in SDK_PACKAGES]
    return [folder for spec in specs if spec is not None for folder in spec.submodule_search_locations or ()]
