"""Objects of libraries by dotted name: imports what the allow-list permits and checks what was really found."""

import contextlib
import importlib
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atp import registry
from atp.diagnostics import Hint, name_hint
from atp.resolution.allow_list import DEFAULT_ALLOW, SAFE_BUILTINS, AllowList

_imported_for: dict[str, Path] = {}  # own modules of a project that are in sys.modules, and whose they are


class LookupFailureError(Exception):
    """Why a name gives no object: the key of the message, its holes, a hint."""

    def __init__(self, key: str, holes: dict[str, object], hint: Hint | None = None) -> None:
        super().__init__(key)
        self.key, self.holes, self.hint = key, holes, hint


@dataclass(frozen=True)
class Substitution:
    """Names below `prefix` are taken from `module` where it has them: a dry run of what talks to the outside."""

    prefix: str
    module: str


class Library:
    """Finds objects by name. `roots` are the folders of the project's own modules."""

    def __init__(self, roots: tuple[Path, ...], allow: tuple[str, ...] = ()) -> None:
        self.roots = roots
        self._entries = (*DEFAULT_ALLOW, *allow)
        self._found: dict[tuple[str, ...], object] = {}
        self._failed: dict[tuple[str, ...], LookupFailureError] = {}
        self._own: dict[str, bool] = {}
        self.substitutions: list[Substitution] = []

    def check_name(self, path: tuple[str, ...]) -> None:
        """Raises LookupFailureError (E204) if the name as written is not allowed. Imports nothing."""
        name = ".".join(path)
        if (len(path) == 1 and path[0] in SAFE_BUILTINS) or registry.is_template_name(path):
            return
        if any(part.startswith("_") for part in path) or not self._allow_for(path[0]).permits_name(name):
            tops = sorted({entry.partition(".")[0] for entry in self._entries} | set(self._own_names()))
            raise LookupFailureError("E204", {"reference": f"#{name}"}, name_hint(path[0], tops, "#"))

    def find(self, path: tuple[str, ...]) -> object:
        """The object. Raises LookupFailureError with E202 or E204."""
        if path in self._failed:
            raise self._failed[path]
        if path not in self._found:
            try:
                self.check_name(path)
                self._found[path] = self._look_up(path)
            except LookupFailureError as failure:
                self._failed[path] = failure
                raise
        return self._found[path]

    def forget(self) -> None:
        """Look everything up anew; used when substitutions change."""
        self._found.clear()
        self._failed.clear()

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """The project's folders are on sys.path inside."""
        added = [str(root) for root in self.roots if str(root) not in sys.path]
        sys.path[:0] = added
        try:
            yield
        finally:
            for path in added:
                if path in sys.path:
                    sys.path.remove(path)

    def _look_up(self, path: tuple[str, ...]) -> object:
        if registry.is_template_name(path):
            return registry.template(path[1])
        if len(path) == 1 and path[0] in SAFE_BUILTINS:
            return getattr(importlib.import_module("builtins"), path[0])
        for substitution in self.substitutions:
            if path[0] == substitution.prefix:
                with contextlib.suppress(LookupFailureError):
                    return self._walk((*substitution.module.split("."), *path[1:]), AllowList((substitution.module,)))
        return self._walk(path, self._allow_for(path[0]))

    def _walk(self, path: tuple[str, ...], allow: AllowList) -> object:
        name = ".".join(path)
        found: object = self._import(path[0], name)
        for index, part in enumerate(path[1:], 1):
            holder = ".".join(path[:index])
            try:
                following = getattr(found, part)
            except AttributeError:
                if not isinstance(found, types.ModuleType) or not hasattr(found, "__path__"):
                    raise self._missing(found, holder, part) from None
                following = self._import(f"{found.__name__}.{part}", name, (found, holder, part))
            except Exception as error:
                raise LookupFailureError("E202.import", {"name": name, "reason": _reason(error)}) from error
            found = following
            if not allow.has_exactly(name) and not allow.permits_object(found):
                raise LookupFailureError("E204.real", {"reference": f"#{name}", "real": _real_name(found)})
        if isinstance(found, types.ModuleType):
            raise LookupFailureError("E202.module", {"name": name}, name_hint("", []))
        return found

    def _import(self, module: str, wanted: str, missing: tuple[object, str, str] | None = None) -> types.ModuleType:
        self._evict_strangers(module)
        try:
            with self.importing():
                loaded = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name == module:
                if missing:
                    raise self._missing(*missing) from None
                raise LookupFailureError("E202.no_module", {"name": module}) from None
            raise LookupFailureError("E202.import", {"name": wanted, "reason": _reason(error)}) from error
        except (Exception, SystemExit) as error:
            raise LookupFailureError("E202.import", {"name": wanted, "reason": _reason(error)}) from error
        top = module.partition(".")[0]
        if self._is_own(top):
            _imported_for[top] = self.roots[0]
        return loaded

    def _missing(self, holder: object, holder_name: str, part: str) -> LookupFailureError:
        legal = [name for name in dir(holder) if not name.startswith("_")]
        return LookupFailureError("E202", {"holder": holder_name, "name": part}, name_hint(part, legal))

    def _allow_for(self, top: str) -> AllowList:
        self._is_own(top)
        return AllowList(self._entries, frozenset(self._own_names()))

    def _own_names(self) -> list[str]:
        for root in self.roots:
            for path in sorted(root.glob("*.py")) if root.is_dir() else ():
                self._is_own(path.stem)
        return [name for name, is_own in self._own.items() if is_own]

    def _is_own(self, top: str) -> bool:
        """Modules beside the file are the project's own, unless they would hide a library."""
        if top not in self._own:
            tops = {entry.partition(".")[0] for entry in DEFAULT_ALLOW}
            is_free = top not in sys.stdlib_module_names and top not in tops and top != "atp" and top.isidentifier()
            self._own[top] = is_free and any(
                (root / f"{top}.py").is_file() or (root / top / "__init__.py").is_file() for root in self.roots
            )
        return self._own[top]

    def _evict_strangers(self, module: str) -> None:
        """Another project's module of the same name must not answer for this one's."""
        top = module.partition(".")[0]
        if not self._is_own(top) or _imported_for.get(top) in (None, self.roots[0]):
            return
        for name in [name for name in sys.modules if name == top or name.startswith(top + ".")]:
            del sys.modules[name]
        del _imported_for[top]
        importlib.invalidate_caches()


def _reason(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def _real_name(found: object) -> str:
    if isinstance(found, types.ModuleType):
        return found.__name__
    named = found if hasattr(found, "__qualname__") else type(found)
    return f"{getattr(named, '__module__', '?')}.{getattr(named, '__qualname__', '?')}"
