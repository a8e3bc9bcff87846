import pytest

from app.components.box_matching import iou, match
from app.components.boxes import Box


def box(x1, y1, x2, y2, name="crack", confidence=None):
    return Box(name, x1, y1, x2, y2, confidence)


def test_iou_of_half_overlapping_boxes_is_one_third():
    assert iou(box(0, 0, 2, 2), box(1, 0, 3, 2)) == pytest.approx(1 / 3)


def test_iou_of_touching_and_of_empty_boxes_is_zero():
    assert iou(box(0, 0, 2, 2), box(2, 0, 4, 2)) == 0
    assert iou(box(1, 1, 1, 1), box(1, 1, 1, 1)) == 0


def test_iou_of_exactly_the_threshold_is_a_hit():
    assert match([box(0, 0, 1, 1, confidence=1.0)], [box(0, 0, 2, 1)]).true_positives == 1


def test_the_more_confident_prediction_takes_the_truth_and_the_other_is_extra():
    found = match([box(0, 0, 10, 10, confidence=0.5), box(0, 0, 10, 9, confidence=0.9)], [box(0, 0, 10, 10)])
    assert found.pairs == {1: (0, pytest.approx(0.9))}
    assert (found.false_positives, found.false_negatives) == ((0,), ())


def test_another_class_never_matches():
    found = match([box(0, 0, 10, 10, "pore", 0.9)], [box(0, 0, 10, 10, "crack")])
    assert (found.true_positives, found.false_positives, found.false_negatives) == (0, (0,), (0,))


def test_each_prediction_takes_the_truth_that_fits_best():
    found = match([box(0, 0, 10, 10, confidence=0.9)], [box(0, 0, 10, 8), box(0, 0, 10, 10)])
    assert found.pairs[0][0] == 1
    assert found.false_negatives == (0,)


def test_nothing_predicted_and_nothing_true():
    assert match([], []).true_positives == 0
