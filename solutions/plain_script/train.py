"""Learns to redraw small copies of the images; what it redraws badly is unusual."""

import numpy as np
import torch
from PIL import Image

import PlatformAPI

sample = PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[0])
images = [np.array(Image.open(path).convert("L").resize((32, 32))) for path in sample.get_all_images_path()]
pixels = torch.tensor(np.stack(images)).flatten(1) / 255
model = torch.nn.Sequential(torch.nn.Linear(1024, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1024))
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
for epoch in range(100):
    loss = torch.nn.functional.mse_loss(model(pixels), pixels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    PlatformAPI.get_train_graph_logger().log_point("loss", loss, epoch, epoch)
    PlatformAPI.save_progress_for_platform(epoch + 1)
PlatformAPI.TorchPklSaver._save(model, "redraw", pixels[:1])
