"""`@run`: where and how this run happens. Read-only."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN_NAMES = ("device", "rank", "world", "dtype", "seed", "out", "resumed")


@dataclass(frozen=True)
class RunInfo:
    """`device` and `dtype` are objects of torch, None without it. `rank` and `world` come from torchrun."""

    seed: int
    out: str
    resumed: bool = False
    rank: int = 0
    world: int = 1
    device: Any = None
    dtype: Any = None


def make_run_info(seed: int | None, out: Path, resumed: bool, device: str | None = None) -> RunInfo:
    """Reads the environment. Without a seed one is drawn, so that every run can be repeated."""
    chosen = seed if seed is not None else int.from_bytes(os.urandom(4), "little")
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    try:
        import torch
    except ImportError:
        return RunInfo(chosen, str(out), resumed, rank, world)
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and world > 1:
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return RunInfo(chosen, str(out), resumed, rank, world, torch.device(name), torch.get_default_dtype())


def seed_everything(seed: int) -> None:
    """Seeds random, NumPy and torch, those that are there. Ranks get the same seed."""
    import random

    random.seed(seed)
    try:
        import numpy as np

        np.random.seed(seed % 2**32)
    except ImportError:
        pass
    try:
        import torch

        torch.manual_seed(seed)
    except ImportError:
        pass
