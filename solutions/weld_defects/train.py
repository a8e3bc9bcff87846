"""Training launch file of the workstation; the training is defects_in_welds/, the same as on the command line."""

from pathlib import Path

import PlatformAPI

PlatformAPI.save_progress_for_platform(0.0)

from defects_in_welds.training.quiet_libraries import silence  # noqa: E402  (progress first: the imports take seconds)

silence()

from defects_in_welds.data.samples import platform_samples  # noqa: E402
from defects_in_welds.model.detector import WeldDetector  # noqa: E402
from defects_in_welds.training.fit import fit  # noqa: E402
from defects_in_welds.training.platform_adapter import PlatformReporter, config_from_params  # noqa: E402


def main() -> None:
    """Parameters and samples in, weights out."""
    logger = PlatformAPI.get_logger()
    config = config_from_params(
        PlatformAPI.get_train_params(), Path(__file__).parent / "configs", PlatformAPI.get_device()
    )
    if PlatformAPI.get_seed() is not None:
        config.train.seed = PlatformAPI.get_seed()
    datasets = PlatformAPI.get_available_datasets()
    if len(datasets) < 2:
        raise SystemExit(f"a train and a val sample are needed, there is {datasets or 'none'}")
    classes = PlatformAPI.get_classes()
    samples = {}
    for split, dataset in zip(("train", "valid"), datasets, strict=False):
        PlatformAPI.generate_dataset(dataset)
        samples[split] = platform_samples(dataset.get_all_images_path(), dataset.get_all_markups(), classes)
        count = sum(len(sample.boxes) for sample in samples[split])
        logger.info(f"{dataset.role}: {len(samples[split])} images, {count} boxes")
    learned = {label for sample in samples["train"] for label in sample.labels}
    for class_id, name in enumerate(classes):
        if class_id not in learned:
            logger.warning(f"class {name!r} has no box in the training sample: it cannot be learned")

    artifacts = PlatformAPI.get_artifacts_dir()
    fitted = fit(config, classes, samples, artifacts, [PlatformReporter(artifacts)], warn=logger.warning)
    PlatformAPI.save_artifact(fitted.history_path, "file")
    detector = WeldDetector.from_weights(fitted.best_path)
    PlatformAPI.TorchPklSaver._save(detector, "weld_defects.pth")
    logger.info(f"best val mAP {fitted.val_map:.3f}; its weights are weld_defects.pth and checkpoints/best_model.ckpt")
    PlatformAPI.save_progress_for_platform(100.0)


if __name__ == "__main__":
    main()
