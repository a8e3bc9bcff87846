"""Boxes as the platform's markup JSON."""


def markup_of(boxes: list, scores: list, labels: list, classes: list[str]) -> dict:
    """Boxes in pixels of the image as the platform's markup JSON."""
    annotations = [
        {
            "description": "ObjectDetection",
            "class": classes[label],
            "confidence": round(score, 4),
            "shape": {"type": "rectangle", "exterior": [[x1, y1], [x2, y2]], "interior": []},
        }
        for (x1, y1, x2, y2), score, label in zip(boxes, scores, labels, strict=True)
    ]
    return {"version": 1, "image": {"representation": "", "value": ""}, "annotation": annotations}
