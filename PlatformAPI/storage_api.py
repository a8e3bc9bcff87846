"""StorageAPI: files that all runs of a project share."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from PlatformAPI import stores
from PlatformAPI.errors import StoreAwayError, StoreError, WrongArgumentError
from PlatformAPI.file_writing import replacing

CHUNK_BYTES = 1 << 20
Names = list[str]


class StorageAPI:
    """Files of this project by names like "models/best.pth"; other projects do not see them.

    Files of any size pass in pieces and appear under their name only when they are complete. Every method raises
    StoreError for what is refused, StoreAwayError when the workstation is away.
    """

    def __init__(self) -> None:
        self._socket = stores.api_socket()
        if self._socket is None:
            from PlatformAPI.local_files import LocalFiles

            self._local = LocalFiles(stores.local_dir() / "files")

    def put(self, name: str, source: "bytes | str | Path | IO[bytes]") -> None:
        """Keep bytes, the file at a path, or what an open binary file still holds; replaces what the name held."""
        with _opened(source) as file:
            if self._socket is None:
                self._local.put(name, file)
                return
            start = file.tell()
            length = file.seek(0, os.SEEK_END) - start
            file.seek(start)
            self._socket.request("PUT", "/files", {"name": name}, file, length, is_repeatable=True).close()

    def get(self, name: str) -> bytes:
        """The whole content. Raises StoreError('project_file_not_found')."""
        with self.open(name) as file:
            return file.read()

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The content as a binary file to read from start to end: `with storage.open(name) as file: …`."""
        if self._socket is None:
            with self._local.open(name) as local:
                yield local
            return
        import http.client

        response = self._socket.request("GET", "/files/content", {"name": name}, is_repeatable=True)
        with response:
            try:
                yield cast(IO[bytes], response)
            except (http.client.IncompleteRead, TimeoutError, ConnectionError) as error:
                raise StoreAwayError("api_away", f"{name!r} broke off while it was read") from error
            # Closed by itself before the end; a script that has read enough leaves it open.
            if response.isclosed() and response.length:
                raise StoreAwayError("api_away", f"{name!r} broke off while it was read")

    def download(self, name: str, path: str | Path) -> Path:
        """Write the content to a file, which appears only when it is complete."""
        import shutil

        with self.open(name) as source, replacing(Path(path)) as temporary, temporary.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)
        return Path(path)

    def list(self, prefix: str = "") -> Names:
        """Names that begin with `prefix`, sorted."""
        if self._socket is None:
            return self._local.names(prefix)
        names: Names = []
        after: str | None = ""
        while after is not None:
            page: dict[str, Any] = self._socket.ask_query("GET", "/files", prefix=prefix, after=after)
            names += [file["name"] for file in page["files"]]
            after = page["next_after"]
        return names

    def exists(self, name: str) -> bool:
        """Whether the name leads to a file."""
        if self._socket is None:
            return self._local.exists(name)
        try:
            self._socket.ask_query("GET", "/files/info", name=name)
        except StoreError as error:
            if error.code != "project_file_not_found":
                raise
            return False
        return True

    def delete(self, name: str) -> bool:
        """Forget a file. False when it was not there."""
        if self._socket is None:
            return self._local.delete(name)
        return bool(self._socket.ask_query("DELETE", "/files", name=name)["value"])


@contextmanager
def _opened(source: "bytes | str | Path | IO[bytes]") -> Iterator[IO[bytes]]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, str | Path):
        if not Path(source).is_file():
            raise WrongArgumentError(f"{str(source)!r}: there is no such file")
        with Path(source).open("rb") as file:
            yield file
    elif source.seekable():
        yield source
    else:
        # Its length must be known before it is sent.
        import shutil
        import tempfile

        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(source, copy, CHUNK_BYTES)
            copy.seek(0)
            yield copy
