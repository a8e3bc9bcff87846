"""What a saved markup must obey: known classes, rectangles of some size inside the image."""

import difflib

from backend.contracts.base import Problem
from backend.contracts.markup import Annotation, Markup
from backend.domain.errors import InvalidInputError

MAX_ANNOTATIONS = 20_000
EDGE_SLACK_PX = 0.01


def check_markup(markup: Markup, classes: tuple[str, ...], width: int, height: int) -> None:
    """Raise InvalidInputError('markup_invalid') with every fault; an annotation is named by its number from 1."""
    if len(markup.annotation) > MAX_ANNOTATIONS:
        raise InvalidInputError(
            "markup_invalid", [Problem(code="markup_too_many_boxes", params={"limit": MAX_ANNOTATIONS})]
        )
    problems = [
        problem
        for number, annotation in enumerate(markup.annotation, start=1)
        for problem in _faults(number, annotation, classes, width, height)
    ]
    if problems:
        raise InvalidInputError("markup_invalid", problems)


def class_names_of(markup: Markup) -> list[str]:
    """Distinct class names, sorted."""
    return sorted({annotation.class_name for annotation in markup.annotation})


def box_count_of(markup: Markup) -> int:
    """Number of rectangles; image-level classes have none."""
    return sum(1 for annotation in markup.annotation if annotation.shape.type == "rectangle")


def _faults(number: int, annotation: Annotation, classes: tuple[str, ...], width: int, height: int) -> list[Problem]:
    faults = []
    if annotation.class_name not in classes:
        nearest = difflib.get_close_matches(annotation.class_name, classes, 1)
        params = {"number": number, "name": annotation.class_name, "classes": ", ".join(classes)}
        code = "class_unknown_nearest" if nearest else "class_unknown"
        faults.append(Problem(code=code, params=params | ({"nearest": nearest[0]} if nearest else {})))
    if annotation.shape.type is None:
        return faults
    if len(annotation.shape.exterior) != 2:
        return [*faults, Problem(code="rectangle_needs_two_points", params={"number": number})]
    (x1, y1), (x2, y2) = annotation.shape.exterior
    place = {"number": number, "box": f"{x1:g} {y1:g} {x2:g} {y2:g}", "width": width, "height": height}
    # Written so that NaN fails.
    if not (x1 < x2 and y1 < y2):
        faults.append(Problem(code="rectangle_empty", params=place))
    elif not (
        x1 >= -EDGE_SLACK_PX and y1 >= -EDGE_SLACK_PX and x2 <= width + EDGE_SLACK_PX and y2 <= height + EDGE_SLACK_PX
    ):
        faults.append(Problem(code="rectangle_outside_image", params=place))
    return faults
