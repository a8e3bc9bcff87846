"""Test launch file of the workstation: boxes of every test image and how good they are."""

import PlatformAPI

PlatformAPI.save_progress_for_platform(0.0)

from defects_in_welds.training.quiet_libraries import silence  # noqa: E402  (progress first: the imports take seconds)

silence()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from defects_in_welds.data.advice import size_advice, split_advice  # noqa: E402
from defects_in_welds.data.platform_sample import read_platform_sample  # noqa: E402
from defects_in_welds.data.problems import chosen_language, raise_for, text, warn_of  # noqa: E402
from defects_in_welds.data.samples import Sample  # noqa: E402
from defects_in_welds.data.weld_dataset import WeldDataset, make_loader  # noqa: E402
from defects_in_welds.evaluation.coco_scores import above, coco_scores, on_cpu  # noqa: E402
from defects_in_welds.evaluation.confusion import count_image  # noqa: E402
from defects_in_welds.evaluation.markup import markup_of  # noqa: E402
from defects_in_welds.evaluation.platform_report import report_images, report_scores  # noqa: E402
from defects_in_welds.model.detector import WeldDetector  # noqa: E402


def main() -> None:
    """Weights and a sample in, results and metrics out."""
    params, logger, classes = PlatformAPI.get_test_params()["test"], PlatformAPI.get_logger(), PlatformAPI.get_classes()
    language = chosen_language(params["language"], PlatformAPI.get_language())
    detector = load_detector(classes, language).to(PlatformAPI.get_device())
    # The last sample is the test one.
    dataset = PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[-1])
    samples, problems = read_platform_sample(dataset.get_all_images_path(), dataset.get_all_markups(), classes)
    settings, split = detector.settings, {"test": samples}
    problems += split_advice(split, classes, {"test": dataset.role})
    sides = settings["short_side"], settings["long_side"]
    problems += size_advice(split, sides, int(settings["finest_stride"]), lambda path: path.name)
    warn_of(problems, language, logger.warning)
    raise_for(problems, language)
    count = sum(len(sample.boxes) for sample in samples)
    logger.info(text("sample_read", language, role=dataset.role, images=len(samples), boxes=count))

    answers, truths = find_boxes(detector, samples, params)
    condition = f"confidence >= {params['confidence']}, IoU >= {params['iou']}"
    counts = np.zeros((len(classes) + 1, len(classes) + 1), dtype=int)
    shown = [above(answer, params["confidence"]) for answer in answers]
    faults = [count_image(counts, truth, one, params["iou"]) for truth, one in zip(truths, shown, strict=True)]
    scores = coco_scores(answers, truths, len(classes))
    report_scores(scores, counts, classes, condition)
    confidences = torch.cat([answer["scores"] for answer in answers]).numpy()
    report_images([sample.image_path.name for sample in samples], faults, confidences, params["worst_count"], condition)
    if not any(len(one["scores"]) for one in shown):
        logger.warning(text("nothing_shown", language, confidence=params["confidence"]))
    logger.info(text("test_done", language, map50=scores.map50, map=scores.map))
    PlatformAPI.save_progress_for_platform(100.0)


def load_detector(classes: list[str], language: str) -> WeldDetector:
    """The trained detector, checked against the classes of the sample."""
    weights = PlatformAPI.get_weights_path()
    if weights is None:
        raise SystemExit(text("weights_missing", language))
    detector = WeldDetector.from_weights(weights)
    if detector.classes != classes:
        known, given = ", ".join(detector.classes), ", ".join(classes)
        raise SystemExit(text("classes_differ", language, known=known, given=given))
    return detector


def find_boxes(detector: WeldDetector, samples: list[Sample], params: dict) -> tuple[list[dict], list[dict]]:
    """Answers and truths of all images, on the CPU; each image's result is saved as soon as it is known."""
    device = torch.device(PlatformAPI.get_device())
    dataset = WeldDataset(samples, (detector.settings["short_side"], detector.settings["long_side"]))
    loader = make_loader(dataset, params["batch_size"], params["workers"])
    answers: list[dict] = []
    truths: list[dict] = []
    for images, targets in loader:
        with torch.inference_mode():
            found = [on_cpu(answer) for answer in detector([image.to(device) for image in images])]
        for answer, target in zip(found, targets, strict=True):
            # A huge image was shrunk when it was read: boxes go back to its own pixels.
            for one in (answer, target):
                one["boxes"] = one["boxes"] / dataset.scale(len(answers))
            shown = {name: value.tolist() for name, value in above(answer, params["confidence"]).items()}
            markup = markup_of(shown["boxes"], shown["scores"], shown["labels"], detector.classes)
            name = samples[len(answers)].image_path.name
            PlatformAPI.get_markup_dict_for_images({name: markup}, "ObjectDetection")
            answers.append(answer)
        truths += targets
        PlatformAPI.save_progress_for_platform(90.0 * len(answers) / len(samples))
    return answers, truths


if __name__ == "__main__":
    main()
