"""Our own sources as one zip: nodes run exactly the code of this machine. Third-party packages are not in it."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("backend", "PlatformAPI", "atp", "plat")
LONG_AGO = (1980, 1, 1, 0, 0, 0)
HASH_CHARS = 32


@dataclass(frozen=True)
class CodePackage:
    """`name` follows from the content."""

    name: str
    content: bytes


@cache
def code_package(root: Path = ROOT) -> CodePackage:
    """The package of the sources below `root`; the same sources give the same bytes, whoever packs them when."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for package in PACKAGES for path in _files(root / package)):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    content = packed.getvalue()
    return CodePackage(f"_ray_pkg_{hashlib.sha256(content).hexdigest()[:HASH_CHARS]}.zip", content)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
