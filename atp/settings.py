"""Trusted settings: the project's folder and what its files may import."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """`root`: files and own modules are looked for under it. `allow`: names allowed beside the default ones."""

    root: Path
    allow: tuple[str, ...] = ()


def find_settings(file: Path, root: Path | None = None, allow: tuple[str, ...] = ()) -> Settings:
    """Settings for a file: the nearest pyproject.toml above with `[tool.atp]`, else the folder of the file.

    Raises ValueError if `[tool.atp] allow` is no list of names.
    """
    folder = file.resolve().parent
    for parent in [root] if root else [folder, *folder.parents]:
        table = _tool_table(parent / "pyproject.toml")
        if table is not None:
            listed = table.get("allow", [])
            if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
                raise ValueError(f"{parent / 'pyproject.toml'}: [tool.atp] allow must be a list of names")
            return Settings(parent.resolve(), (*listed, *allow))
    return Settings(root.resolve() if root else folder, allow)


def _tool_table(path: Path) -> dict[str, object] | None:
    if not path.is_file():
        return None
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return None  # not ours to judge
    table = tools.get("atp") if isinstance(tools, dict) else None
    return table if isinstance(table, dict) else None
