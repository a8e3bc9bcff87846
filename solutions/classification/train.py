"""Trains the crop classifier, top to bottom: each call of PlatformAPI is one step of moving code into the platform."""

import torch
from dataset import BACKGROUND, Crops
from model import CropClassifier
from texts import text
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

import PlatformAPI

# Step 3: the progress bar starts at zero.
PlatformAPI.save_progress_for_platform(0.0)

# Step 1: parameters, as declared in params.yaml and set in the form.
params = PlatformAPI.get_train_params()
basic, network = params["basic params"], params["network"]
seed = PlatformAPI.get_seed()
torch.manual_seed(0 if seed is None else seed)
device = torch.device(PlatformAPI.get_device())

# Step 2: samples. The order is train, val, test.
datasets = PlatformAPI.get_available_datasets()
if len(datasets) < 2:
    raise SystemExit(text("samples_few", known=", ".join(dataset.role for dataset in datasets) or "–"))
classes = PlatformAPI.get_classes()
train_set, val_set = (
    Crops(PlatformAPI.generate_dataset(dataset), classes, network["crop_size"], is_varied)
    for dataset, is_varied in ((datasets[0], True), (datasets[1], False))
)
train_loader = DataLoader(train_set, basic["batch_size"], shuffle=True)
val_loader = DataLoader(val_set, basic["batch_size"])

# Step 4: messages. Each level has its own tab; texts.py has them in the language of the page.
logger = PlatformAPI.get_logger()
names = [*classes, BACKGROUND]
counts = torch.bincount(train_set.labels, minlength=len(names))
logger.info(text("crops", train=len(train_set), val=len(val_set)))
for name, count in zip(names, counts.tolist(), strict=True):
    if count < 10:
        logger.warning(text("class_rare", name=name, count=count))

model = CropClassifier(len(names), network["width"], network["crop_size"]).to(device)
optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
step_count = basic["epochs"] * len(train_loader)
# Warm up, then down to zero: the last epochs only polish, so the last weights are good ones to keep.
# 0.21: with 0.2 a training of five steps divides by zero.
schedule = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, basic["learning_rate"], total_steps=step_count, pct_start=0.21
)
# Rare classes count more, or the net would do well by never naming them. The root keeps ten crops from ruling the rest.
class_weights = counts.clamp(min=1).float().rsqrt().to(device)

# Step 5: training graphs. A point is a name, a value, an epoch and an iteration.
graphs = PlatformAPI.get_train_graph_logger()
step = 0
for epoch in range(1, basic["epochs"] + 1):
    model.train()
    for crops, labels in train_loader:
        loss = cross_entropy(model(crops.to(device)), labels.to(device), class_weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        step += 1
        graphs.log_point("train_loss", loss.item(), epoch, step)
        PlatformAPI.save_progress_for_platform(100.0 * step / step_count)

    model.eval()
    with torch.no_grad():
        answers = torch.cat([model(crops.to(device)).cpu() for crops, _ in val_loader])
    val_loss = cross_entropy(answers, val_set.labels, class_weights.cpu()).item()
    val_accuracy = (answers.argmax(1) == val_set.labels).float().mean().item()
    graphs.log_point("val_loss", val_loss, epoch, step)
    graphs.log_point("val_accuracy", val_accuracy, epoch, step)
    logger.info(text("epoch_done", epoch=epoch, epochs=basic["epochs"], loss=val_loss, accuracy=val_accuracy))

# Step 7: weights, as PyTorch (.pth) and as ONNX. Test.py rebuilds the network from them.
example = torch.rand(1, 3, network["crop_size"], network["crop_size"])
saved = PlatformAPI.CombSaver._save(model.cpu().eval(), "classification", example)
logger.info(text("weights_saved", files=", ".join(path.name for path in saved.paths)))
PlatformAPI.save_progress_for_platform(100.0)
