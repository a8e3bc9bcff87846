from app.components.boxes import Box, boxes_from_markup, markup_with_boxes
from backend.contracts.markup import Annotation
from tests.unit.app.data_objects import markup


def test_markup_goes_round_unchanged():
    original = markup(("crack", 1.25, 2, 30, 40.5), ("pore", 5, 6, 7, 8))
    assert markup_with_boxes(original, boxes_from_markup(original)) == original


def test_image_level_classes_stay_when_boxes_are_replaced():
    whole = Annotation(description="Classification", class_name="good")
    original = markup(("crack", 1, 2, 3, 4)).model_copy(update={"annotation": (whole,)})
    assert markup_with_boxes(original, [Box("pore", 5, 6, 7, 8)]).annotation[0] == whole


def test_a_saved_box_has_no_confidence_because_a_person_vouches_for_it():
    saved = markup_with_boxes(markup(), [Box("crack", 1, 2, 3, 4, confidence=0.7)])
    assert saved.annotation[0].confidence is None
    assert "confidence" not in saved.model_dump(by_alias=True, exclude_none=True)["annotation"][0]


def test_no_markup_has_no_boxes():
    assert boxes_from_markup(None) == ()
