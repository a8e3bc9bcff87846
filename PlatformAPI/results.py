"""Results of a test (step 8): the predicted markup of each image, as the platform's markup JSON."""

from collections.abc import Mapping
from json import loads
from typing import Any

from PlatformAPI.errors import WrongArgumentError
from PlatformAPI.numbers_in import finite_from, list_from
from PlatformAPI.run_context import current

Json = str | bytes | Mapping[str, Any]

_MARKUP_KEYS = {"version", "image", "annotation"}
_ANNOTATION_KEYS = {"description", "class", "confidence", "shape"}


def get_markup_dict_for_images(json: Json, description: str) -> dict[str, dict[str, Any]]:
    """Save predicted markup and return it, normalised, as {image file name: markup JSON}.

    Args:
        json: either {image name or path: markup JSON} for any number of images, or the markup JSON of one image whose
            `image.value` holds the image's name or path; also the same as JSON text.
        description: the task type, e.g. "ObjectDetection"; annotations without one take it.

    The same image again replaces its result. Raises WrongArgumentError naming the image and the annotation.
    """
    if not isinstance(description, str) or not description:
        raise WrongArgumentError(f"description is {description!r}; give the task type, e.g. 'ObjectDetection'")
    given = _decoded(json, "json")
    if "annotation" in given or (isinstance(given.get("image"), Mapping) and "value" in given["image"]):
        given = {_name_inside(given): given}
    markups: dict[str, dict[str, Any]] = {}
    for key, one in given.items():
        name = _file_name(key)
        if name in markups:
            raise WrongArgumentError(f"image {name!r} is given twice; names must differ without their folders, too")
        markups[name] = _normal_markup(_decoded(one, f"image {name!r}"), description, f"image {name!r}")
    run = current()
    for name, markup in markups.items():
        run.writer.write_event("result", f"image {name!r}", image=name, description=description, markup=markup)
        if run.console is not None:
            run.console.show(f"RESULT  {name}: {len(markup['annotation'])} annotations")
    return markups


def _decoded(json: Any, about: str) -> Mapping[str, Any]:
    if isinstance(json, str | bytes):
        try:
            json = loads(json)
        except ValueError as error:
            raise WrongArgumentError(f"{about} is not valid JSON: {error}") from error
    if not isinstance(json, Mapping):
        raise WrongArgumentError(f"{about} must be a JSON object, it is {type(json).__name__}")
    return json


def _name_inside(markup: Mapping[str, Any]) -> str:
    name = markup["image"].get("value") if isinstance(markup.get("image"), Mapping) else None
    if not name:
        raise WrongArgumentError(
            "the markup does not say which image it belongs to: put the file name into image.value, "
            "or pass {image name: markup}"
        )
    return str(name)


def _file_name(key: Any) -> str:
    """The last part of a path; scripts key results by what get_all_images_path gave them."""
    name = str(key).replace("\\", "/").rsplit("/", 1)[-1]
    if name in ("", ".", ".."):
        raise WrongArgumentError(f"{key!r} is not the name of an image")
    return name


def _normal_markup(markup: Mapping[str, Any], description: str, about: str) -> dict[str, Any]:
    _check_keys(markup, _MARKUP_KEYS, about)
    image = markup.get("image") or {}
    annotations = [
        _normal_annotation(one, description, f"{about}, annotation {i}")
        for i, one in enumerate(list_from(markup.get("annotation") or [], f"{about}, annotation"))
    ]
    return {
        "version": 1,
        "image": {key: str(image.get(key) or "") for key in ("representation", "value")},
        "annotation": annotations,
    }


def _normal_annotation(annotation: Any, description: str, about: str) -> dict[str, Any]:
    if not isinstance(annotation, Mapping):
        raise WrongArgumentError(f"{about} must be an object, it is {annotation!r}")
    _check_keys(annotation, _ANNOTATION_KEYS, about)
    class_name = annotation.get("class")
    if not isinstance(class_name, str) or not class_name:
        raise WrongArgumentError(f"{about}: class is {class_name!r}, a class name is needed")
    normal: dict[str, Any] = {"description": str(annotation.get("description") or description), "class": class_name}
    if annotation.get("confidence") is not None:
        confidence = finite_from(annotation["confidence"], f"{about}: confidence")
        if not 0 <= confidence <= 1:
            raise WrongArgumentError(f"{about}: confidence is {confidence}, it must be from 0 to 1")
        normal["confidence"] = confidence
    normal["shape"] = _normal_shape(annotation.get("shape") or {}, about)
    return normal


def _normal_shape(shape: Any, about: str) -> dict[str, Any]:
    """An empty shape (a class of the whole image), or a rectangle with sorted corners."""
    if not isinstance(shape, Mapping):
        raise WrongArgumentError(f"{about}: shape is {shape!r}, an object is needed")
    if not shape:
        return {}
    _check_keys(shape, {"type", "exterior", "interior"}, f"{about}: shape")
    if shape.get("type") != "rectangle":
        raise WrongArgumentError(f"{about}: shape type {shape.get('type')!r} is unknown; known is 'rectangle'")
    corners = [list_from(corner, f"{about}: corner") for corner in list_from(shape.get("exterior") or [], about)]
    if [len(corner) for corner in corners] != [2, 2]:
        raise WrongArgumentError(f"{about}: a rectangle is [[x1, y1], [x2, y2]], it is {corners!r}")
    xs = sorted(_pixel(corner[0], f"{about}: x") for corner in corners)
    ys = sorted(_pixel(corner[1], f"{about}: y") for corner in corners)
    if shape.get("interior"):
        raise WrongArgumentError(f"{about}: a rectangle has no interior")
    return {"type": "rectangle", "exterior": [[xs[0], ys[0]], [xs[1], ys[1]]], "interior": []}


def _pixel(value: Any, about: str) -> float:
    number = finite_from(value, about)
    return int(number) if isinstance(value, int) else number


def _check_keys(given: Mapping[str, Any], known: set[str], about: str) -> None:
    unknown = sorted(str(key) for key in given if key not in known)
    if unknown:
        raise WrongArgumentError(f"{about}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
