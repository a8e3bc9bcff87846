"""`#atp.Checkpoint`: states of components in one file, written whole or not at all, loaded without code."""

import contextlib
import importlib
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT = 1


class CheckpointError(RuntimeError):
    """A checkpoint that is not there, does not fit, or could not be loaded again."""


class Checkpoint:
    """Saves and loads the states of `targets` and of the random generators.

    Args:
        dir: folder of the files; a relative one is, in a run, among its artifacts
        targets: name → component; by default all that have a state
        rng: keep the random generators too
    """

    def __init__(self, dir: str, targets: Mapping[str, Any] | None = None, rng: bool = True) -> None:  # noqa: A002
        self.dir = _folder_in_run(Path(dir))
        self.targets: dict[str, Any] | None = None if targets is None else dict(targets)
        self.rng = rng
        self._is_proved = False
        for name, target in (self.targets or {}).items():
            if not is_stateful(target):
                raise TypeError(f"target {name!r} ({type(target).__name__}) has no state_dict and load_state_dict")

    def attach(self, components: Mapping[str, Any]) -> None:
        """Called once after all components are created: the default targets are the stateful ones."""
        if self.targets is None:
            unique: dict[int, tuple[str, Any]] = {}  # what has two names is kept once, under the first
            for name, component in components.items():
                if is_stateful(component) and not isinstance(component, Checkpoint):
                    unique.setdefault(id(_unwrapped(component)), (name, component))
            self.targets = dict(unique.values())

    def save(self, name: str = "last") -> str:
        """Write `dir/name.pt` and give its path. A torn write leaves the former file as it was."""
        import torch

        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {
            "format": FORMAT,
            "targets": {key: _unwrapped(target).state_dict() for key, target in (self.targets or {}).items()},
        }
        if self.rng:
            state["rng"] = _random_states()
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            torch.save(state, temporary)
            if not self._is_proved:
                self._prove(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _tell_workstation(path, name)
        return str(path)

    def load(self, name: str = "last") -> str:
        """Load `dir/name.pt`, or a path, into the targets and give its path."""
        import torch

        path = self._path(name)
        if not path.is_file():
            raise CheckpointError(f"there is no checkpoint {path}")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise CheckpointError(f"checkpoint {path} cannot be loaded: {error}") from error
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise CheckpointError(f"{path} is no checkpoint of format {FORMAT}")
        saved = state["targets"]
        missing = sorted(set(self.targets or {}) - set(saved))
        if missing:
            raise CheckpointError(f"checkpoint {path} has no state of {', '.join(missing)}; it has {', '.join(saved)}")
        for key, target in (self.targets or {}).items():
            try:
                _unwrapped(target).load_state_dict(saved[key])
            except Exception as error:
                raise CheckpointError(f"the state of {key} in {path} does not fit: {error}") from error
        if self.rng and "rng" in state:
            _restore_random_states(state["rng"])
        return str(path)

    def _path(self, name: str) -> Path:
        given = Path(name)
        if given.suffix == ".pt":
            return given if given.is_absolute() or given.is_file() else self.dir / given
        return self.dir / f"{name}.pt"

    def _prove(self, path: Path) -> None:
        """A state that cannot be loaded again must be known at the first save, not after hours of training."""
        import torch

        try:
            torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise CheckpointError(f"a state in {path.stem} cannot be loaded as weights only: {error}") from error
        self._is_proved = True


def is_stateful(target: object) -> bool:
    """Whether an object has the two methods of the state protocol."""
    return callable(getattr(target, "state_dict", None)) and callable(getattr(target, "load_state_dict", None))


def _unwrapped(target: Any) -> Any:
    """The network inside of `#atp.ddp`: a checkpoint of many processes goes on with one, and the other way round."""
    parallel = sys.modules.get("torch.nn.parallel")
    return target.module if parallel and isinstance(target, parallel.DistributedDataParallel) else target


def _folder_in_run(folder: Path) -> Path:
    """In a run of the workstation code is read-only, so a relative folder lies among the artifacts of the run."""
    run = os.environ.get("ARM_RUN_DIR")
    return Path(run) / "artifacts" / folder if run and not folder.is_absolute() else folder


def _tell_workstation(path: Path, name: str) -> None:
    """A checkpoint of a run is one of its artifacts; the one called `best` is preferred when its weights are used."""
    if os.environ.get("ARM_RUN_DIR") and os.environ.get("RANK", "0") == "0":
        importlib.import_module("PlatformAPI").save_artifact(path, kind="checkpoint", info={"best": name == "best"})


def _random_states() -> dict[str, Any]:
    import torch

    version, numbers, gauss = random.getstate()
    states: dict[str, Any] = {
        "python": [version, list(numbers), gauss],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    with contextlib.suppress(ImportError):
        import numpy as np

        kind, keys, *rest = np.random.get_state()
        states["numpy"] = [str(kind), [int(key) for key in keys], *(float(part) for part in rest)]
    return states


def _restore_random_states(states: dict[str, Any]) -> None:
    import torch

    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    if "numpy" in states:
        import numpy as np

        kind, keys, position, has_gauss, cached = states["numpy"]
        np.random.set_state((kind, np.array(keys, dtype=np.uint32), int(position), int(has_gauss), cached))
