"""The template repository: importing it registers every shipped template (`atp.registry.register`).

A template is the gateway between a pipeline and a library: it fixes what goes in and out, and builds what torch,
torchvision or torchmetrics already have. `import atp` does not import it; naming `#core.…` in a file does.
"""

from atp.core import blocks, datasets, detection, learning, measuring, networks, old_weights, reporting, training

__all__ = [
    "blocks",
    "datasets",
    "detection",
    "learning",
    "measuring",
    "networks",
    "old_weights",
    "reporting",
    "training",
]
