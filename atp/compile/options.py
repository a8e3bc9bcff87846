"""What is compiled in on request. Without any of these nothing of them is in the code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CompileOptions:
    """`limit`: every loop stops after so many passes. `debug_stage` and `debug_line` (from 1): stop before steps.

    `is_profiled`: each step's time is taken.
    """

    limit: int | None = None
    debug_stage: str | None = None
    debug_line: int | None = None
    is_profiled: bool = False
