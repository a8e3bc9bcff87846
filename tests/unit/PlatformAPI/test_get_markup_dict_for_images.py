"""PlatformAPI.get_markup_dict_for_images"""

import json
import math

import pytest
import torch

import PlatformAPI

BOX = {"type": "rectangle", "exterior": [[10, 20], [30, 40]], "interior": []}


def markup(value: str = "", **changes) -> dict:
    annotation = {"description": "ObjectDetection", "class": "pore", "confidence": 0.9, "shape": BOX, **changes}
    return {"image": {"representation": "", "value": value}, "annotation": [annotation]}


def test_a_mapping_gives_one_result_per_image(run_dir, events):
    given = {"/data/images/a.jpg": markup(), "b.jpg": {"annotation": []}}
    saved = PlatformAPI.get_markup_dict_for_images(given, "ObjectDetection")
    assert saved == {
        "a.jpg": {"version": 1, **markup()},
        "b.jpg": {"version": 1, "image": {"representation": "", "value": ""}, "annotation": []},
    }
    written = events("result")
    assert {e["image"]: e["markup"] for e in written} == saved
    assert {e["description"] for e in written} == {"ObjectDetection"}


@pytest.mark.parametrize("convert", [lambda x: x, json.dumps, lambda x: json.dumps(x).encode()])
def test_a_single_json_names_its_image_in_value(run_dir, events, convert):
    saved = PlatformAPI.get_markup_dict_for_images(convert(markup("images/a.jpg")), "ObjectDetection")
    assert list(saved) == ["a.jpg"] == [e["image"] for e in events("result")]


def test_numbers_of_frameworks_corners_and_descriptions_are_normalised(run_dir):
    corners = [torch.tensor([30.5, 40.0]), [10, torch.tensor(20)]]
    given = {"class": "pore", "confidence": torch.tensor(0.5), "shape": {"type": "rectangle", "exterior": corners}}
    saved = PlatformAPI.get_markup_dict_for_images({"a.jpg": {"annotation": [given]}}, "ObjectDetection")
    assert saved["a.jpg"]["annotation"] == [
        {
            "description": "ObjectDetection",
            "class": "pore",
            "confidence": 0.5,
            "shape": {"type": "rectangle", "exterior": [[10, 20], [30.5, 40]], "interior": []},
        }
    ]


def test_a_class_of_the_whole_image_has_an_empty_shape(run_dir):
    saved = PlatformAPI.get_markup_dict_for_images({"a.jpg": markup(shape={})}, "Classification")
    assert saved["a.jpg"]["annotation"][0]["shape"] == {}


def test_what_is_saved_is_what_the_workstation_reads(run_dir):
    from backend.contracts.markup import Markup

    saved = PlatformAPI.get_markup_dict_for_images({"a.jpg": markup(), "b.jpg": markup(shape={})}, "ObjectDetection")
    for one in saved.values():
        Markup.model_validate_json(json.dumps(one))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"class": ""}, "class is ''"),
        ({"confidence": 1.2}, "confidence is 1.2"),
        ({"confidence": math.nan}, "confidence is nan"),
        ({"shape": {"type": "circle"}}, "shape type 'circle'"),
        ({"shape": {"type": "rectangle", "exterior": [[1, 2]]}}, "a rectangle is"),
        ({"shape": {**BOX, "exterior": [[1, 2], [math.nan, 4]]}}, "x is nan"),
        ({"clas": "pore"}, "unknown key 'clas'"),
    ],
)
def test_a_wrong_annotation_is_named_and_nothing_is_saved(run_dir, events, changes, problem):
    with pytest.raises(PlatformAPI.WrongArgumentError, match=rf"image 'b\.jpg', annotation 0.*{problem}"):
        PlatformAPI.get_markup_dict_for_images({"a.jpg": markup(), "b.jpg": markup(**changes)}, "ObjectDetection")
    assert events("result") == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (markup(), "image.value"),
        ("{", "not valid JSON"),
        ([1], "must be a JSON object"),
        ({"a/x.jpg": markup(), "b/x.jpg": markup()}, "given twice"),
        ({"images/": markup()}, "not the name of an image"),
        ({"a.jpg": 5}, r"image 'a\.jpg' must be"),
    ],
)
def test_a_json_without_its_image_is_refused(run_dir, given, problem):
    with pytest.raises(PlatformAPI.WrongArgumentError, match=problem):
        PlatformAPI.get_markup_dict_for_images(given, "ObjectDetection")


def test_the_task_type_is_needed(run_dir):
    with pytest.raises(PlatformAPI.WrongArgumentError, match="description is ''"):
        PlatformAPI.get_markup_dict_for_images({}, "")
