"""Makes what users upload: honest and hostile archives, images, labels."""

import io
import stat
import zipfile
from pathlib import Path

from PIL import Image

YAML = b"nc: 2\nnames: [pore, crack]\n"
ROW = b"1 0.5 0.5 0.2 0.4\n"


def jpeg(width: int = 40, height: int = 20, colour: str = "gray") -> bytes:
    """A small photograph."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


def yolo_files(**replaced: bytes | None) -> dict[str, bytes]:
    """A sound dataset of four images; keyword `train/labels/a.txt` replaces a file, None removes it."""
    files: dict[str, bytes | None] = {
        "data.yaml": YAML,
        "train/images/a.jpg": jpeg(),
        "train/labels/a.txt": ROW + b"0 0.25 0.25 0.1 0.1\n",
        "train/images/b.jpg": jpeg(colour="red"),
        "valid/images/c.jpg": jpeg(colour="green"),
        "valid/labels/c.txt": ROW,
        "test/images/d.jpg": jpeg(colour="blue"),
        "test/labels/d.txt": b"",
        **replaced,
    }
    return {path: content for path, content in files.items() if content is not None}


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


def zip_with_link(path: str, target: str, files: dict[str, bytes]) -> bytes:
    """A zip in which `path` is a symbolic link."""
    return zip_with_mode(path, stat.S_IFLNK | 0o777, target.encode(), files)


def zip_with_mode(path: str, mode: int, content: bytes, files: dict[str, bytes]) -> bytes:
    """A zip in which one entry has an unusual mode."""
    out = io.BytesIO(zip_of(files))
    info = zipfile.ZipInfo(path)
    info.create_system = 3
    info.external_attr = mode << 16
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(info, content)
    return out.getvalue()


def zip_encrypted(files: dict[str, bytes]) -> bytes:
    """A zip whose first entry claims to be encrypted."""
    content = bytearray(zip_of(files))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def zip_with_raw_name(name: bytes, files: dict[str, bytes], is_utf8: bool) -> bytes:
    """A zip in which one entry's name is these very bytes."""
    stand_in = "Z" * len(name)
    content = bytearray(zip_of({**files, stand_in: b"x"}))
    start = 0
    while (position := content.find(stand_in.encode(), start)) >= 0:
        content[position : position + len(name)] = name
        start = position + len(name)
    if is_utf8:
        for signature, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
            content[content.rindex(signature) + offset] |= 0x08
    return bytes(content)


def write_tree(root: Path, files: dict[str, bytes]) -> Path:
    """The files as a folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root
