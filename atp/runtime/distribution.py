"""`#atp.distributed` and `#atp.ddp`: many processes under torchrun; on one process both do nothing."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any


def world_size() -> int:
    """How many processes torchrun started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def distributed(backend: str = "auto") -> Iterator[None]:
    """The process group around a stage; nothing on one process.

    Args:
        backend: auto is nccl (or rccl) with GPUs, else gloo
    """
    if world_size() == 1:
        yield
        return
    import torch.distributed as dist

    join_process_group(backend)
    try:
        yield
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def join_process_group(backend: str = "auto") -> None:
    """Components that need the group are created before the stage starts, so the first who needs it joins."""
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        chosen = ("nccl" if torch.cuda.is_available() else "gloo") if backend == "auto" else backend
        dist.init_process_group(chosen)


def ddp(model: Any, **options: Any) -> Any:
    """The model wrapped for many processes; the model itself on one.

    Args:
        model: the network
        options: passed on to DistributedDataParallel
    """
    if world_size() == 1:
        return model
    import torch
    from torch.nn.parallel import DistributedDataParallel

    join_process_group()
    if torch.cuda.is_available():
        rank = int(os.environ.get("LOCAL_RANK", "0"))
        options.setdefault("device_ids", [rank])
        model = model.to(f"cuda:{rank}")
    return DistributedDataParallel(model, **options)
