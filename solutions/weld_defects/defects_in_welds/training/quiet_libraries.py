"""Silences what libraries say about things that are meant here, each with its reason. Call it first."""

import logging
import os
import warnings


def silence() -> None:
    """Filter warnings whose cause is known and harmless; anything else still shows."""
    # Loader workers are a parameter; on two cores more of them are slower.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # A chosen CPU beside a GPU is a choice, not a mistake.
    warnings.filterwarnings("ignore", message="GPU available but not used.*")
    # Checkpoints of a repeated run replace those of the one before, as DVC's outputs do.
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    # Few images give fewer steps than log_every_n_steps: nothing is lost, epochs are logged, too.
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    # Lightning still uses a pytree class that torch renamed.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*", category=FutureWarning)
    # Importing pkg_resources is Lightning's and mlflow's, not ours to mend.
    warnings.filterwarnings("ignore", message=".*pkg_resources is deprecated.*")
    # MLflow's database layer; pinned with it.
    warnings.filterwarnings("ignore", message=".*``noload`` loader strategy is deprecated.*")
    # MLflow reports usage to its makers unless told not to.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Banners ("GPU available: …", tips): the run reports its device itself. Lightning sets its level when imported.
    import lightning.pytorch

    for name in (lightning.pytorch.__name__, lightning.fabric.__name__):
        logging.getLogger(name).setLevel(logging.WARNING)
