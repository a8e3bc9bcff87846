"""АТР: training pipelines described in YAML, checked before they run, compiled to plain Python.

`atp.load(file)` reads, checks, draws, builds and runs. The language is described in docs/atp.md. Importing this
package imports no torch: what needs it is loaded when it is used.
"""

import importlib
from typing import Any

_WHERE = {
    "load": "atp.api",
    "Pipeline": "atp.api",
    "BuiltPipeline": "atp.compile.building",
    "InvalidFileError": "atp.diagnostics",
    "Checkpoint": "atp.runtime.checkpoint",
    "Epochs": "atp.runtime.epochs",
    "distributed": "atp.runtime.distribution",
    "ddp": "atp.runtime.distribution",
    "register": "atp.registry",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'atp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
