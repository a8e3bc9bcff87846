from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components.boxes import Box
from app.components.canvas_mapping import Scale, boxes_from_drawing, drawing_from_boxes, fitted

SCALE = fitted(4000, 3000, 760, 570)
BOX = Box("crack", 100.37, 200.11, 1300.5, 900.25)


def drawn_after_fabric(boxes, scale=SCALE):
    """What the canvas reports when nobody touched it: Fabric writes four decimals."""
    drawing = drawing_from_boxes(boxes, scale, {"crack": "#ff0000"})
    numbers = ("left", "top", "width", "height")
    return [{"label": one["label"]} | {name: round(one[name], 4) for name in numbers} for one in drawing["objects"]]


def test_the_canvas_keeps_the_shape_of_the_image_inside_its_place():
    assert Scale(4000, 3000, 760, 570) == SCALE
    assert fitted(480, 480, 760, 570) == Scale(480, 480, 570, 570)
    assert fitted(480, 480, 760, 570, zoom=2).canvas_width == 1140
    assert fitted(20000, 2, 760, 570).canvas_height == 1


def test_an_untouched_box_comes_back_as_the_very_same_object():
    assert boxes_from_drawing(drawn_after_fabric([BOX]), SCALE, [BOX])[0] is BOX


@given(
    st.integers(1, 6000),
    st.integers(1, 6000),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.sampled_from([1.0, 1.5, 2.0, 3.0]),
)
def test_no_box_drifts_however_often_it_goes_round(width, height, shares, zoom):
    scale = fitted(width, height, 760, 570, zoom)
    x1, x2 = sorted((shares[0] * width, shares[1] * width))
    y1, y2 = sorted((shares[2] * height, shares[3] * height))
    first = Box("crack", x1, y1, x2, y2)
    once = boxes_from_drawing(drawn_after_fabric([first], scale), scale, [first])
    assert once == (first,)


def test_a_moved_box_is_read_in_pixels_of_the_image():
    drawn = drawn_after_fabric([BOX])
    drawn[0]["left"] += 19
    (moved,) = boxes_from_drawing(drawn, SCALE, [BOX])
    assert moved.x1 == pytest.approx(BOX.x1 + 100, abs=0.01)
    assert moved.x2 == pytest.approx(BOX.x2 + 100, abs=0.01)
    assert (moved.y1, moved.y2) == pytest.approx((BOX.y1, BOX.y2), abs=0.01)


def test_a_relabelled_box_is_a_new_one_in_the_same_place():
    drawn = drawn_after_fabric([BOX])
    drawn[0]["label"] = "pore"
    (found,) = boxes_from_drawing(drawn, SCALE, [BOX])
    assert found == replace(BOX, class_name="pore")


def test_a_box_over_the_edge_is_cut_and_one_outside_is_dropped():
    over = {"label": "crack", "left": -50, "top": -50, "width": 100, "height": 100}
    outside = {"label": "crack", "left": 900, "top": 10, "width": 100, "height": 100}
    (found,) = boxes_from_drawing([over, outside], SCALE, [])
    assert (found.x1, found.y1) == (0, 0)
    assert found.x2 == pytest.approx(51 / SCALE.x, abs=0.01)


def test_the_dot_of_a_stray_click_is_no_box_but_a_small_saved_box_stays():
    dot = {"label": "crack", "left": 10, "top": 10, "width": 4, "height": 4}
    assert boxes_from_drawing([dot], SCALE, []) == ()
    tiny = Box("crack", 100, 100, 103, 103)
    assert boxes_from_drawing(drawn_after_fabric([tiny]), SCALE, [tiny]) == (tiny,)


def test_two_equal_boxes_stay_two():
    assert boxes_from_drawing(drawn_after_fabric([BOX, BOX]), SCALE, [BOX, BOX]) == (BOX, BOX)
