"""Trains the quick detector, top to bottom: each call of PlatformAPI is one step of moving code into the platform."""

import math

import torch
from dataset import WeldImages, collate
from model import STRIDE, QuickDetector, detection_loss, draw_targets
from torch.utils.data import DataLoader

import PlatformAPI

# Step 3: the progress bar starts at zero.
PlatformAPI.save_progress_for_platform(0.0)

# Step 1: parameters, as declared in params.yaml and set in the form.
params = PlatformAPI.get_train_params()
basic, network = params["basic params"], params["network"]
image_size = math.ceil(network["image_size"] / 16) * 16

seed = PlatformAPI.get_seed()
torch.manual_seed(0 if seed is None else seed)
device = torch.device(PlatformAPI.get_device())

# Step 2: samples. The order is train, val, test.
datasets = PlatformAPI.get_available_datasets()
if len(datasets) < 2:
    raise SystemExit(f"a train and a val sample are needed, there is {datasets or 'none'}")
PlatformAPI.generate_dataset(datasets[0])
PlatformAPI.generate_dataset(datasets[1])
classes = PlatformAPI.get_classes()
train_set = WeldImages(datasets[0], classes, image_size, is_flipped=True)
val_set = WeldImages(datasets[1], classes, image_size)
train_loader = DataLoader(train_set, basic["batch_size"], shuffle=True, collate_fn=collate)
val_loader = DataLoader(val_set, basic["batch_size"], collate_fn=collate)

# Step 4: messages. Each level has its own tab.
logger = PlatformAPI.get_logger()
logger.info(f"train: {len(train_set)} images, val: {len(val_set)} images, classes: {', '.join(classes)}")
if image_size != network["image_size"]:
    logger.warning(f"image_size {network['image_size']} is not a multiple of 16: {image_size} is used")
for class_id, name in enumerate(classes):
    if not any((labels == class_id).any() for _, labels in train_set.truths):
        logger.warning(f"class {name!r} has no box in the training sample: it cannot be learned")

model = QuickDetector(len(classes), network["width"], image_size).to(device)
optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-4)
step_count = basic["epochs"] * len(train_loader)
# Warm up, then down to zero: lets a small net use a high rate safely.
# 0.21: with 0.2 a training of five steps divides by zero.
schedule = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, basic["learning_rate"], total_steps=step_count, pct_start=0.21
)


def loss_of_batch(images, boxes, labels):
    """The loss of one batch."""
    output = model(images.to(device))
    targets = draw_targets(boxes, labels, len(classes), image_size // STRIDE)
    return detection_loss(output, *(target.to(device) for target in targets))


# Step 5: training graphs. A point is a name, a value, an epoch and an iteration.
graphs = PlatformAPI.get_train_graph_logger()
step = 0
for epoch in range(1, basic["epochs"] + 1):
    model.train()
    epoch_loss = 0.0
    for images, boxes, labels, _ in train_loader:
        loss = loss_of_batch(images, boxes, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        step += 1
        epoch_loss += loss.item() / len(train_loader)
        graphs.log_point("train_loss", loss.item(), epoch, step)
        graphs.log_point("learning_rate", schedule.get_last_lr()[0], epoch, step)
        PlatformAPI.save_progress_for_platform(100.0 * step / step_count)

    model.eval()
    with torch.no_grad():
        val_loss = sum(loss_of_batch(images, boxes, labels).item() for images, boxes, labels, _ in val_loader)
    val_loss /= len(val_loader)
    graphs.log_point("train_loss_epoch", epoch_loss, epoch, step)
    graphs.log_point("val_loss", val_loss, epoch, step)
    logger.info(f"epoch {epoch} of {basic['epochs']}: train loss {epoch_loss:.3f}, val loss {val_loss:.3f}")

# Step 7: weights, as PyTorch (.pth) and as ONNX.
example = torch.rand(1, 3, image_size, image_size)
saved = PlatformAPI.CombSaver._save(model.cpu().eval(), "quick_detector", example)
logger.info(f"weights saved: {', '.join(path.name for path in saved.paths)}")
PlatformAPI.save_progress_for_platform(100.0)
