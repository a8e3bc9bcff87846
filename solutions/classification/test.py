"""Tests the trained classifier: names every marked box of the test sample, and says how often it was right."""

import torch
from dataset import BACKGROUND, Crops
from model import CropClassifier
from texts import text
from torch.utils.data import DataLoader

import PlatformAPI

PlatformAPI.save_progress_for_platform(0.0)
logger = PlatformAPI.get_logger()
least_confidence = PlatformAPI.get_test_params()["basic params"]["confidence"]
device = torch.device(PlatformAPI.get_device())

# The weights that the training saved. Beside the .pth there is an .onnx, which this script does not use.
weights = PlatformAPI.get_weights_path()
if weights is None:
    raise SystemExit(text("weights_missing"))
model = CropClassifier.from_weights(weights.with_suffix(".pth")).to(device)
names = [*PlatformAPI.get_classes(), BACKGROUND]
if model.class_count != len(names):
    raise SystemExit(text("classes_differ", known=model.class_count, given=len(names), names=", ".join(names)))

# The last sample is the test one.
sample = PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[-1])
crops = Crops(sample, names[:-1], int(model.crop_size))
images = len(crops.image_paths)
logger.info(text("sample_read", role=sample.role, crops=len(crops), images=images, weights=weights.name))

answers = []
with torch.no_grad():
    for batch, _ in DataLoader(crops, batch_size=64):
        answers.append(model(batch.to(device)).softmax(1).cpu())
        PlatformAPI.save_progress_for_platform(90.0 * len(answers) * 64 / (len(crops) + 64))
confidences, predicted = torch.cat(answers).max(1)
truth = crops.labels

# Step 8: the result of an image is its markup: here the places that were looked at, named by the network.
# What it takes for background is left out, so the Results page counts it as a miss.
annotations: list[list[dict]] = [[] for _ in crops.image_paths]
for image, (x1, y1, x2, y2), label, confidence in zip(
    crops.image_of, crops.boxes, predicted.tolist(), confidences.tolist(), strict=True
):
    if names[label] != BACKGROUND and confidence >= least_confidence:
        shape = {"type": "rectangle", "exterior": [[x1, y1], [x2, y2]], "interior": []}
        annotations[image].append({"class": names[label], "confidence": round(confidence, 3), "shape": shape})
for path, found in zip(crops.image_paths, annotations, strict=True):
    markup = {"version": 1, "image": {"representation": "", "value": ""}, "annotation": found}
    PlatformAPI.get_markup_dict_for_images({path.name: markup}, "Classification")

# Step 6: metrics, each one a tab.
metrics = PlatformAPI.get_test_metrics_logger()
matrix = PlatformAPI.ConfusionMatrix.from_predictions(
    "Confusion matrix",
    [names[label] for label in truth.tolist()],
    [names[label] for label in predicted.tolist()],
    labels=names,
)
metrics.log(matrix)

# None is shown as an empty cell: the recall of a class that the sample lacks is not zero, it is unknown.
rows = []
for label in range(len(names)):
    hits = int(((truth == label) & (predicted == label)).sum())
    true_count, named_count = int((truth == label).sum()), int((predicted == label).sum())
    precision, recall = hits / named_count if named_count else None, hits / true_count if true_count else None
    rows.append([precision, recall, true_count])
metrics.log_table("Classes", rows, ["precision", "recall", "crops"], index=names)

# Accuracy flatters where one class is frequent: beside it stands what always naming that class would reach.
recalls = [recall for _, recall, _ in rows if recall is not None]
accuracy = (predicted == truth).float().mean().item()
summary = {
    "accuracy": [accuracy],
    "always the most frequent class": [max(count for *_, count in rows) / len(crops)],
    "mean recall": [sum(recalls) / len(recalls)],
    "mean recall by chance": [1 / len(recalls)],
}
metrics.log_table("Summary", summary)
metrics.log_histogram("Confidence of the answers", confidences.tolist(), bins=20)
logger.info(text("test_done", accuracy=accuracy, recall=summary["mean recall"][0], classes=len(recalls)))
PlatformAPI.save_progress_for_platform(100.0)
