"""Writes the zip of a solution as a stream: weights of gigabytes pass through in flat memory."""

import zipfile
from collections.abc import Iterator
from contextlib import closing

from backend.contracts.projects import Code, Solution
from backend.domain.solution_manifest import FILE_NAME, manifest_of
from backend.stores.object_store import ObjectStore

ENTRY_TIME = (2026, 1, 1, 0, 0, 0)
"""Fixed, so that one solution always gives one archive."""


class _Outbox:
    """A file for zipfile that can not seek: what is written waits here to be sent."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, content: bytes, /) -> int:
        self._waiting += content
        return len(content)

    def flush(self) -> None:
        """Nothing to do: `taken` hands over."""

    def close(self) -> None:
        """Nothing to do."""

    def taken(self) -> bytes:
        content = bytes(self._waiting)
        self._waiting.clear()
        return content


def archive_chunks(solution: Solution, objects: ObjectStore) -> Iterator[bytes]:
    """The archive piece by piece: the code at the root, the weights under their paths, solution.json."""
    outbox = _Outbox()
    manifest = manifest_of(solution).model_dump_json(indent=1).encode()
    with closing(zipfile.ZipFile(outbox, "w")) as archive:
        archive.writestr(_entry(FILE_NAME, zipfile.ZIP_DEFLATED), manifest)
        files = [(f.path, f.sha256, zipfile.ZIP_DEFLATED) for f in solution.code.files if f.path != FILE_NAME]
        files += [(w.path, w.sha256, zipfile.ZIP_STORED) for w in solution.weights]
        for path, sha256, method in files:
            with archive.open(_entry(path, method), "w", force_zip64=True) as entry:
                for chunk in objects.stream(sha256):
                    entry.write(chunk)
                    yield outbox.taken()
            yield outbox.taken()
    yield outbox.taken()


def weights_folder(code: Code) -> str:
    """A top folder for weights that the code itself does not use."""
    taken = {file.path.split("/", 1)[0] for file in code.files}
    return next(name for n in range(len(taken) + 1) if (name := f"weights-{n}" if n else "weights") not in taken)


def _entry(path: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, ENTRY_TIME)
    info.compress_type = method
    info.external_attr = 0o100644 << 16
    return info
