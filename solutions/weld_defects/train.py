"""Training launch file of the workstation; the training is defects_in_welds/, the same as on the command line."""

from pathlib import Path

import PlatformAPI

PlatformAPI.save_progress_for_platform(0.0)

from defects_in_welds.training.quiet_libraries import silence  # noqa: E402  (progress first: the imports take seconds)

silence()

from defects_in_welds.data.advice import size_advice, split_advice  # noqa: E402
from defects_in_welds.data.platform_sample import read_platform_sample  # noqa: E402
from defects_in_welds.data.problems import DataError, chosen_language, raise_for, text, warn_of  # noqa: E402
from defects_in_welds.export.onnx_file import ParityError  # noqa: E402
from defects_in_welds.export.weights import parity_images  # noqa: E402
from defects_in_welds.model.detector import WeldDetector  # noqa: E402
from defects_in_welds.training.fit import fit  # noqa: E402
from defects_in_welds.training.platform_adapter import PlatformReporter, config_from_params  # noqa: E402
from omegaconf import DictConfig  # noqa: E402


def main() -> None:
    """Parameters and samples in, weights out."""
    logger = PlatformAPI.get_logger()
    config = config_from_params(
        PlatformAPI.get_train_params(), Path(__file__).parent / "configs", PlatformAPI.get_device()
    )
    if PlatformAPI.get_seed() is not None:
        config.train.seed = PlatformAPI.get_seed()
    language = config.data.language = chosen_language(config.data.language, PlatformAPI.get_language())
    datasets = PlatformAPI.get_available_datasets()
    if len(datasets) < 2:
        raise SystemExit(text("samples_few", language, known=", ".join(one.role for one in datasets) or "–"))
    classes = PlatformAPI.get_classes()
    samples = checked_samples(datasets, classes, config)
    artifacts = PlatformAPI.get_artifacts_dir()
    fitted = fit(
        config,
        classes,
        samples,
        artifacts,
        callbacks=lambda: [PlatformReporter(artifacts, language)],
        warn=logger.warning,
        say=logger.info,
    )
    PlatformAPI.save_artifact(fitted.history_path, "file")
    detector = WeldDetector.from_weights(fitted.best_path)
    save_weights(detector, samples["valid"], config.export.onnx, language)
    logger.info(text("training_done", language, map=fitted.val_map))
    PlatformAPI.save_progress_for_platform(100.0)


def save_weights(detector: WeldDetector, valid: list, has_onnx: bool, language: str) -> None:
    """weld_defects.pth and, if it answers the same on images of the valid sample, weld_defects.onnx."""
    if not has_onnx:
        PlatformAPI.TorchPklSaver._save(detector, "weld_defects.pth")
        return
    try:
        info = PlatformAPI.CombSaver._save(detector, "weld_defects", parity_images(detector, valid)).info
    except ParityError as error:
        PlatformAPI.get_logger().error(text("onnx_differs", language, detail=error))
        return
    holes = {"images": info["parity_images"], "boxes": info["parity_boxes"]}
    holes |= {"iou": info["least_iou"], "difference": info["max_score_difference"]}
    PlatformAPI.get_logger().info(text("onnx_equal", language, **holes))


def checked_samples(datasets: list, classes: list[str], config: DictConfig) -> dict[str, list]:
    """Samples by split, every fault of the data reported before anything is trained."""
    logger, language, samples, problems = PlatformAPI.get_logger(), config.data.language, {}, []
    for split, dataset in zip(("train", "valid", "test"), datasets, strict=False):
        PlatformAPI.generate_dataset(dataset)
        images, markups = dataset.get_all_images_path(), dataset.get_all_markups()
        samples[split], found = read_platform_sample(images, markups, classes)
        problems += found
        count = sum(len(sample.boxes) for sample in samples[split])
        logger.info(text("sample_read", language, role=dataset.role, images=len(samples[split]), boxes=count))
    problems += split_advice(samples, classes, {split: one.role for split, one in zip(samples, datasets, strict=False)})
    sides = config.data.short_side, config.data.long_side
    problems += size_advice(samples, sides, int(config.model.finest_stride), lambda path: path.name)
    warn_of(problems, language, logger.warning)
    try:
        raise_for(problems, language)
    except DataError as error:
        logger.error(error)
        raise SystemExit(str(error)) from None
    return samples


if __name__ == "__main__":
    main()
