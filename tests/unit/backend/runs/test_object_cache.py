"""The cache of files on the computing machine: whole, checked, fetched once."""

import hashlib
from pathlib import Path

import pytest

from backend.runs.object_cache import BrokenObjectError, ObjectCache

CONTENT = b"pixels"
SHA = hashlib.sha256(CONTENT).hexdigest()


class Source:
    """Hands out `content` under every name."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content, self.downloads = content, 0

    def download(self, sha256: str, target: Path) -> None:
        self.downloads += 1
        target.write_bytes(self.content)


def test_a_file_is_fetched_once_and_linked(tmp_path: Path) -> None:
    source = Source()
    cache = ObjectCache(tmp_path / "cache", source)
    for name in ("a", "b"):
        cache.link(SHA, tmp_path / name)
    assert source.downloads == 1
    assert (tmp_path / "a").samefile(tmp_path / "b") and (tmp_path / "a").read_bytes() == CONTENT
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o444


def test_wrong_bytes_are_refused_and_not_kept(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "cache", Source(b"other"))
    with pytest.raises(BrokenObjectError):
        cache.link(SHA, tmp_path / "a")
    assert not (tmp_path / "a").exists() and not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_code_is_checked_at_every_use_and_a_damaged_copy_is_replaced(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "cache", Source())
    cache.copy(SHA, tmp_path / "one" / "a.py")
    (cached,) = (p for p in (tmp_path / "cache").rglob("*") if p.is_file())
    cached.chmod(0o644)
    cached.write_bytes(b"evil")
    cache.copy(SHA, tmp_path / "two" / "a.py")
    assert (tmp_path / "two" / "a.py").read_bytes() == CONTENT
    assert not (tmp_path / "two" / "a.py").samefile(cached)
