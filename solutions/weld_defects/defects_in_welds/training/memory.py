"""What to do when the device runs out of memory: smaller batches, as many images a step as before."""

import gc

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA's error, and that of cuDNN and cuBLAS, which name it only in words; a CPU's allocator does likewise."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    words = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "can't allocate memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def smaller_batch(batch_size: int, accumulate: int) -> tuple[int, int]:
    """(batch size, batches a step): at most half the batch, and exactly as many images a step.

    The biggest divisor of the batch is taken: 4 -> 2, 6 -> 3, 5 -> 1. Raises ValueError for a batch of one.
    """
    if batch_size < 2:
        raise ValueError("a batch of one image cannot be halved")
    smaller = next(size for size in range(batch_size // 2, 0, -1) if batch_size % size == 0)
    return smaller, accumulate * (batch_size // smaller)


def release() -> None:
    """Give back what the failed attempt held; its objects must be out of reach by now."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
