"""Pipeline files of a project: found, kept under the project's folder, read once."""

from pathlib import Path

FILE_BYTES_MAX = 4_000_000


class FileProblemError(Exception):
    """Why a file cannot be used: the key of the message."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def find_file(reference: str, beside: Path, root: Path) -> Path:
    """The file that a reference names, relative to the file that it stands in. Symbolic links are followed first.

    Raises FileProblemError: E205 outside the root, E202.file if it is not there.
    """
    try:
        path = (beside.parent / reference).resolve()
        if not path.is_relative_to(root.resolve()) or Path(reference).is_absolute():
            raise FileProblemError("E205")
        if not path.is_file():
            raise FileProblemError("E202.file")
    except (OSError, ValueError, RuntimeError):
        raise FileProblemError("E202.file") from None
    return path


def read_text(path: Path) -> str:
    """The text of a pipeline file. Raises FileProblemError."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise FileProblemError("E100.limit")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise FileProblemError("E100.encoding") from None
    except OSError:
        raise FileProblemError("E202.file") from None
