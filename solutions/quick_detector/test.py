"""Tests the trained detector: boxes of every image, and how good they are."""

import numpy as np
import torch
from dataset import WeldImages
from metrics import average_precision, confusion, precision_recall_f1
from model import QuickDetector, find_boxes

import PlatformAPI

PlatformAPI.save_progress_for_platform(0.0)
logger = PlatformAPI.get_logger()
basic = PlatformAPI.get_test_params()["basic params"]
device = torch.device(PlatformAPI.get_device())

# The weights that the training saved. Beside the .pth there is an .onnx, which this script does not use.
weights = PlatformAPI.get_weights_path()
if weights is None:
    raise SystemExit("no weights: choose a finished training run, or put a .pth file into weights/ beside test.py")
model = QuickDetector.from_weights(weights.with_suffix(".pth")).to(device)
classes = PlatformAPI.get_classes()
if model.class_count != len(classes):
    raise SystemExit(
        f"the weights know {model.class_count} classes, the sample has {len(classes)}: {', '.join(classes)}"
    )

# The last sample is the test one.
sample = PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[-1])
images = WeldImages(sample, classes, int(model.image_size))
logger.info(f"{sample.role}: {len(images)} images, weights {weights.name}")


def markup_of(boxes, scores, labels) -> dict:
    """Boxes in pixels of the original image -> the platform's markup JSON."""
    annotations = [
        {
            "description": "ObjectDetection",
            "class": classes[label],
            "confidence": round(score, 3),
            "shape": {"type": "rectangle", "exterior": [[x1, y1], [x2, y2]], "interior": []},
        }
        for (x1, y1, x2, y2), score, label in zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
    ]
    return {"version": 1, "image": {"representation": "", "value": ""}, "annotation": annotations}


# Step 8: the result of an image is its markup with the found boxes.
truths, detections, shown = [], [], []
for index in range(len(images)):
    image, boxes, labels, _ = images[index]
    with torch.no_grad():
        output = model(image[None].to(device)).cpu()
    # AP looks at the unsure boxes, too; what is shown and counted starts at the chosen confidence.
    found, scores, found_labels = find_boxes(output, least_confidence=0.02)[0]
    scale = images.scale_of(index)
    width, height = images.size_of(index)
    found = (found / scale).clamp(min=0).minimum(torch.tensor([width, height, width, height]))
    truths.append((boxes / scale, labels))
    detections.append((found, scores, found_labels))
    shown.append(tuple(part[scores >= basic["confidence"]] for part in detections[-1]))
    PlatformAPI.get_markup_dict_for_images({images.image_paths[index].name: markup_of(*shown[-1])}, "ObjectDetection")
    PlatformAPI.save_progress_for_platform(95.0 * (index + 1) / len(images))

# Step 6: metrics, each one a tab.
metrics = PlatformAPI.get_test_metrics_logger()
counts = confusion(truths, shown, len(classes), basic["iou"])
metrics.log_confusion_matrix(
    "Confusion matrix", counts, [*classes, "background"], f"IoU >= {basic['iou']}, confidence >= {basic['confidence']}"
)

rows = []
for class_id in range(len(classes)):
    precision, recall, f1 = precision_recall_f1(counts, class_id)
    ap = average_precision(truths, detections, class_id, basic["iou"])
    rows.append([None if np.isnan(ap) else ap, precision, recall, f1, int(counts[class_id].sum())])
metrics.log_table("Classes", rows, ["AP", "precision", "recall", "F1", "boxes"], index=classes)

# How the images differ from each other: a good mean may hide a few bad images.
per_image = np.array(
    [[len(b), len(s), s.max().item() if len(s) else 0.0] for (b, _), (_, s, _) in zip(truths, shown, strict=True)]
)
statistics = [
    per_image.mean(0),
    per_image.std(0),
    *(np.quantile(per_image, q, axis=0) for q in (0, 0.25, 0.5, 0.75, 1)),
]
metrics.log_table(
    "Statistics over the test sample",
    statistics,
    ["true boxes", "found boxes", "highest confidence"],
    index=["mean", "std", "min", "25%", "50%", "75%", "max"],
)

confidences = torch.cat([scores for _, scores, _ in shown]).numpy()
histogram, edges = np.histogram(confidences, bins=20, range=(0, 1))
metrics.log(PlatformAPI.Histogram("Confidence of the found boxes", histogram, edges))
if not len(confidences):
    logger.warning(f"no box reaches the confidence {basic['confidence']}: lower it, or train longer")

known = [row[0] for row in rows if row[0] is not None]
mean_ap = float(np.mean(known)) if known else 0.0
metrics.log_table(
    "Summary", {f"mAP@{basic['iou']}": [mean_ap], "images": [len(images)], "boxes found": [len(confidences)]}
)
logger.info(f"mAP@{basic['iou']} = {mean_ap:.3f} over {len(known)} classes")
PlatformAPI.save_progress_for_platform(100.0)
