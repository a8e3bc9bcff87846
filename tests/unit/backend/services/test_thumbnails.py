"""The thumbnail cache is bounded and can always be thrown away."""

import io
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from backend.domain.errors import InvalidInputError, NotFoundError
from backend.services import thumbnails
from backend.services.thumbnails import Thumbnails
from backend.stores.object_store import ObjectStore


def picture(number: int) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((200, 100), number).save(out, "PNG")
    return out.getvalue()


def test_cache_survives_its_own_removal_and_misses_nothing(tmp_path: Path) -> None:
    objects = ObjectStore(str(tmp_path / "objects"), tmp_path / "scratch")
    cache = Thumbnails(objects, tmp_path / "cache")
    sha256 = objects.put_bytes(picture(50))
    first = cache.thumbnail(sha256, 64)
    assert cache.thumbnail(sha256, 70) == first
    assert len(list((tmp_path / "cache").rglob("*.jpg"))) == 1
    shutil.rmtree(tmp_path / "cache")
    assert cache.thumbnail(sha256, 64) == first


def test_oldest_go_when_the_folder_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "COUNT_EVERY", 2)
    objects = ObjectStore(str(tmp_path / "objects"), tmp_path / "scratch")
    cache = Thumbnails(objects, tmp_path / "cache", max_folder_bytes=20_000)
    for number in range(21):
        sha256 = objects.put_bytes(picture(number + 1))
        cache.thumbnail(sha256, 192)
        newest = next((tmp_path / "cache").rglob(f"{sha256}*"))
        os.utime(newest, (number, number))
    kept = list((tmp_path / "cache").rglob("*.jpg"))
    assert sum(path.stat().st_size for path in kept) <= 20_000 + newest.stat().st_size * 2
    assert newest in kept and len(kept) < 21


def test_what_is_no_image(tmp_path: Path) -> None:
    objects = ObjectStore(str(tmp_path / "objects"), tmp_path / "scratch")
    cache = Thumbnails(objects, tmp_path / "cache")
    with pytest.raises(InvalidInputError, match="image_unknown"):
        cache.thumbnail(objects.put_bytes(b"text"), 64)
    with pytest.raises(NotFoundError):
        cache.thumbnail("0" * 64, 64)
    assert not list(tmp_path.rglob("*.jpg"))
