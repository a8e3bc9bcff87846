"""Samples of weld_defects from both worlds, augmentation, the translation of parameters, and the counts of a test."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from defects_in_welds.data.augmentation import make_augmentation
from defects_in_welds.data.platform_sample import read_platform_sample
from defects_in_welds.data.weld_dataset import EpochSampler, WeldDataset, collate
from defects_in_welds.data.yolo_folder import read_yolo_folder
from defects_in_welds.evaluation.coco_scores import coco_scores
from defects_in_welds.evaluation.confusion import ImageFaults, count_image, precision_recall_f1
from defects_in_welds.training.platform_adapter import config_from_params
from PIL import Image
from torchvision.tv_tensors import BoundingBoxes

SOLUTION = Path(__file__).parents[3] / "solutions" / "weld_defects"
NOTHING = dict.fromkeys(
    ("flip_probability", "turn_probability", "crop_probability", "zoom_out_probability", "colour_strength",
     "grey_probability", "blur_probability", "noise_strength"), 0.0)  # fmt: skip
EVERYTHING = {**dict.fromkeys(NOTHING, 1.0), "colour_strength": 0.5, "noise_strength": 0.1}


def augmentation(**changed: float) -> Any:
    return make_augmentation({**NOTHING, **changed})


def test_a_thin_box_stays_where_nothing_is_cut_off() -> None:
    """A crack of one pixel was taken out of every training image, while the validation counted it as missed."""
    boxes = BoundingBoxes([[10.0, 10, 11.5, 90], [20, 20, 20.4, 60]], format="XYXY", canvas_size=(100, 100))
    given = {"boxes": boxes, "labels": torch.tensor([0, 1])}
    for _ in range(5):
        _, changed = augmentation(flip_probability=0.5)(torch.zeros(3, 100, 100, dtype=torch.uint8), dict(given))
        assert changed["labels"].tolist() == [0, 1] and changed["boxes"].shape == (2, 4)


def test_both_worlds_give_the_same_samples(weld_folder: Path, tmp_path: Path) -> None:
    data = read_yolo_folder(weld_folder)
    classes, from_yolo = data.classes, data.samples["train"]
    assert len(from_yolo) == 6 and any(sample.boxes for sample in from_yolo)
    markups = []
    for sample in from_yolo:
        annotations = [
            {"class": classes[label], "shape": {"type": "rectangle", "exterior": [box[:2], box[2:]], "interior": []}}
            for box, label in zip(sample.boxes, sample.labels, strict=True)
        ]
        path = tmp_path / f"{sample.image_path.stem}.json"
        path.write_text(json.dumps({"version": 1, "annotation": annotations}), encoding="utf-8")
        markups.append(str(path))
    images = [str(sample.image_path) for sample in from_yolo]
    assert read_platform_sample(images, markups, classes) == (from_yolo, [])
    assert all(sample.boxes == () for sample in read_platform_sample(images, [], classes)[0])


def test_an_image_without_boxes_has_the_shape_zero_by_four(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24)).save(tmp_path / "a.png")
    dataset = WeldDataset(
        read_platform_sample([str(tmp_path / "a.png")], [], [])[0], augment=augmentation(**EVERYTHING)
    )
    images, targets = collate([dataset[0]])
    assert images[0].shape[0] == 3 and images[0].dtype == torch.float32
    assert targets[0]["boxes"].shape == torch.Size([0, 4])
    assert targets[0]["labels"].shape == torch.Size([0]) and targets[0]["labels"].dtype == torch.int64


def test_flipped_boxes_stay_on_what_they_frame(tmp_path: Path) -> None:
    """A white rectangle on black: after both mirrors the box still frames exactly the white pixels."""
    canvas = np.zeros((40, 60), dtype=np.uint8)
    canvas[5:15, 10:30] = 255
    Image.fromarray(canvas).save(tmp_path / "a.png")
    shape = {"type": "rectangle", "exterior": [[10, 5], [30, 15]], "interior": []}
    (tmp_path / "a.json").write_text(json.dumps({"annotation": [{"class": "pore", "shape": shape}]}))
    samples = read_platform_sample([str(tmp_path / "a.png")], [str(tmp_path / "a.json")], ["pore"])[0]
    image, target = WeldDataset(samples, augment=augmentation(flip_probability=1.0))[0]
    rows, columns = torch.nonzero(image[0] > 0.5, as_tuple=True)
    assert target["boxes"].tolist() == [
        [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1],
    ]
    assert target["boxes"].tolist() == [[30.0, 25.0, 50.0, 35.0]]


@pytest.mark.parametrize(
    "changed", [{"turn_probability": 1.0}, {"zoom_out_probability": 1.0}, {"crop_probability": 1.0}, NOTHING]
)
def test_every_change_of_place_moves_the_box_with_the_pixels(tmp_path: Path, changed: dict[str, float]) -> None:
    canvas = np.full((80, 120), 10, dtype=np.uint8)
    canvas[30:50, 40:90] = 255
    Image.fromarray(canvas).save(tmp_path / "a.png")
    shape = {"type": "rectangle", "exterior": [[40, 30], [90, 50]], "interior": []}
    (tmp_path / "a.json").write_text(json.dumps({"annotation": [{"class": "pore", "shape": shape}]}))
    samples, _ = read_platform_sample([str(tmp_path / "a.png")], [str(tmp_path / "a.json")], ["pore"])
    dataset = WeldDataset(samples, augment=augmentation(**changed))
    for key in range(8):
        image, target = dataset[key]
        rows, columns = torch.nonzero(image[0] > 0.8, as_tuple=True)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert target["boxes"].tolist() == [[float(edge) for edge in seen]]
        assert target["labels"].tolist() == [0]


def test_augmentation_depends_on_seed_and_epoch_and_on_nothing_else(weld_folder: Path) -> None:
    samples = read_yolo_folder(weld_folder).samples["train"]
    dataset = WeldDataset(samples, augment=augmentation(**EVERYTHING), seed=3)
    first = dataset[1][0]
    state = torch.get_rng_state()
    again = dataset[1][0]
    assert torch.equal(first, again) and torch.equal(state, torch.get_rng_state())
    in_epoch_two, other_seed = dataset[1 + len(samples)][0], WeldDataset(samples, augment=dataset.augment, seed=4)[1][0]
    assert not any(one.shape == first.shape and torch.equal(one, first) for one in (in_epoch_two, other_seed))


def test_an_epoch_fills_whole_steps_and_comes_in_the_same_order_again() -> None:
    epoch = 2
    sampler = EpochSampler(11, step=4, seed=5, current_epoch=lambda: epoch)
    keys = list(sampler)
    assert len(keys) == len(sampler) == 8 and len({key % 11 for key in keys}) == 8
    assert {key // 11 for key in keys} == {2} and list(sampler) == keys
    epoch = 3
    assert [key % 11 for key in sampler] != [key % 11 for key in keys]
    assert len(EpochSampler(3, step=4, seed=0, current_epoch=lambda: 0)) == 3, "fewer images than a step: all are used"


def test_batches_of_an_epoch_have_images_of_one_shape_as_far_as_they_go() -> None:
    is_portrait = [index % 3 == 0 for index in range(24)]
    sampler = EpochSampler(24, step=8, seed=5, current_epoch=lambda: 1, shapes=is_portrait, batch_size=4)
    order = [key - 24 for key in sampler]
    assert sorted(order) == list(range(24)) and order != sorted(order)
    for start in range(0, 24, 4):
        assert len({is_portrait[index] for index in order[start : start + 4]}) == 1


def declared_defaults() -> dict[str, dict[str, object]]:
    declared = yaml.safe_load((SOLUTION / "params.yaml").read_text(encoding="utf-8"))["train"]
    return {group: {name: one["default"] for name, one in entries.items()} for group, entries in declared.items()}


def test_every_declared_parameter_is_one_of_the_configuration_with_the_same_default() -> None:
    config = config_from_params({}, SOLUTION / "configs", "cpu")
    for group, entries in declared_defaults().items():
        for name, value in entries.items():
            assert str(config[group][name]) == str(value), f"{group}.{name}"


def test_the_values_of_the_form_and_the_device_reach_the_configuration() -> None:
    params = {
        "train": {"batch_size": 8, "resume": "it's a/folder, {1}=[2]/last.ckpt", "learning_rate": 1e-05},
        "model": {"is_pretrained": False},
        "trainer": {"precision": "16-mixed"},
    }
    config = config_from_params(params, SOLUTION / "configs", "cuda:1")
    assert config.train.batch_size == 8 and config.train.learning_rate == 1e-05
    assert config.train.resume == "it's a/folder, {1}=[2]/last.ckpt"
    assert config.model.is_pretrained is False and config.trainer.precision == "16-mixed"
    assert config.trainer.accelerator == "gpu" and list(config.trainer.devices) == [1]
    assert config.logging.mlflow is False and config.logging.tensorboard is False


def test_a_parameter_the_configuration_lacks_is_refused() -> None:
    with pytest.raises(Exception, match="optimiser"):
        config_from_params({"train": {"optimiser": "sgd"}}, SOLUTION / "configs", "cpu")


def detections(*rows: tuple[int, float, tuple[float, float, float, float]]) -> dict[str, torch.Tensor]:
    return {
        "labels": torch.tensor([row[0] for row in rows], dtype=torch.int64),
        "scores": torch.tensor([row[1] for row in rows]),
        "boxes": torch.tensor([row[2] for row in rows]).reshape(-1, 4),
    }


def test_confusion_counts_and_faults_of_a_case_done_by_hand() -> None:
    truth = detections((0, 1, (0, 0, 10, 10)), (1, 1, (20, 20, 30, 30)), (1, 1, (40, 40, 50, 50)))
    answer = detections((0, 0.9, (0, 0, 10, 9)), (0, 0.8, (20, 20, 30, 30)), (1, 0.7, (70, 70, 80, 80)))
    counts = np.zeros((3, 3), dtype=int)
    faults = count_image(counts, truth, answer, least_iou=0.5)
    assert faults == ImageFaults(missed=1, false_alarms=1, wrong_class=1) and faults.total == 3
    assert counts.tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert precision_recall_f1(counts, 0) == pytest.approx((0.5, 1.0, 2 / 3))


def test_scores_leave_out_classes_without_true_boxes() -> None:
    truths = [detections((1, 1, (0, 0, 10, 10)), (1, 1, (20, 20, 40, 40)))]
    answers = [detections((1, 0.9, (0, 0, 10, 10)), (0, 0.8, (60, 60, 70, 70)))]
    scores = coco_scores(answers, truths, class_count=3)
    # One of two boxes found without a false alarm: precision 1 up to recall 0.5, which is 51 of COCO's 101 recalls.
    assert scores.ap50_C[1] == pytest.approx(51 / 101) and scores.map50 == pytest.approx(51 / 101)
    assert np.isnan(scores.ap50_C[0]) and np.isnan(scores.ap50_C[2])
    assert scores.precision50_CR.shape == (3, 101)
