"""The debug stopper: shows artefacts before each step and asks what to do."""

from collections.abc import Callable
from typing import Any

COMMANDS = "n(ext), c(ontinue), p(rint) NAME, q(uit)"


class StoppedByUserError(Exception):
    """`quit` at a stop."""


class DebugStopper:
    """Stops before steps; `ask` and `tell` are the terminal."""

    def __init__(self, ask: Callable[[str], str] | None = None, tell: Callable[[str], None] = print) -> None:
        self._ask = ask or (lambda prompt: input(prompt))
        self._tell = tell
        self._goes_on = False

    def __call__(self, line: int, label: str, artefacts: dict[str, Any]) -> None:
        """Called before a step with everything that the stage has by then."""
        if self._goes_on:
            return
        shown = {name: value for name, value in artefacts.items() if not name.startswith("_")}
        self._tell(f"-- line {line}: {label}")
        for name, value in shown.items():
            self._tell(f"   {name}: {described(value)}")
        while True:
            try:
                words = self._ask("(atp) ").split() or ["n"]
            except EOFError:
                words = ["c"]
            if words[0] in ("n", "next"):
                return
            if words[0] in ("c", "continue"):
                self._goes_on = True
                return
            if words[0] in ("q", "quit"):
                raise StoppedByUserError(f"stopped at line {line}")
            if words[0] in ("p", "print") and len(words) == 2 and words[1] in shown:
                self._tell(str(shown[words[1]]))
            else:
                self._tell(f"commands: {COMMANDS}; names: {', '.join(shown)}")


def described(value: Any) -> str:
    """Type, and for a tensor shape, dtype and device; a short value else."""
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if shape is not None and hasattr(value, "dtype"):
        return f"{kind} {tuple(shape)} {value.dtype} {getattr(value, 'device', '')}".rstrip()
    text = repr(value) if isinstance(value, bool | int | float | str | None) else ""
    return f"{kind} {text[:60]}".rstrip()
