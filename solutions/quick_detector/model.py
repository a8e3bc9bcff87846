"""The network: every pixel of a coarse grid says "the centre of a defect is here, its box is this large".

Known as CenterNet (Zhou et al., Objects as Points, 2019): no anchors, no proposals, one convolution net.
Shapes: B images, C classes, H and W of the input, h = H / 4 and w = W / 4 of the grid.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 4


def conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """3 x 3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class QuickDetector(nn.Module):
    """Down to stride 16, back up to stride 4, one head.

    forward: images (B, 3, H, W) in 0..1, H and W multiples of 16 -> (B, C + 4, h, w): C heat maps (logits), then the
    centre's shift inside its cell (x, y, in cells) and the logarithm of the box's width and height (in cells).
    """

    def __init__(self, class_count: int, width: int = 24, image_size: int = 224) -> None:
        super().__init__()
        self.class_count = class_count
        # Travels with the weights, so that the test sees images of the size that the training saw.
        self.register_buffer("image_size", torch.tensor(image_size))
        self.down4 = nn.Sequential(conv(3, width, 2), conv(width, width * 2, 2), conv(width * 2, width * 2))
        self.down8 = nn.Sequential(conv(width * 2, width * 3, 2), conv(width * 3, width * 3))
        self.down16 = nn.Sequential(conv(width * 3, width * 4, 2), conv(width * 4, width * 4))
        self.up8 = conv(width * 7, width * 3)
        self.up4 = conv(width * 5, width * 2)
        self.head = nn.Conv2d(width * 2, class_count + 4, 1)
        with torch.no_grad():
            # Nearly every cell is background: start from "5 % sure" or the first steps are wasted on unlearning.
            self.head.bias.zero_()
            self.head.bias[:class_count] = -3.0

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> (B, C + 4, h, w)."""
        fine = self.down4((images - 0.5) / 0.25)
        middle = self.down8(fine)
        coarse = self.down16(middle)
        middle = self.up8(torch.cat([F.interpolate(coarse, scale_factor=2.0), middle], dim=1))
        fine = self.up4(torch.cat([F.interpolate(middle, scale_factor=2.0), fine], dim=1))
        return self.head(fine)

    @classmethod
    def from_weights(cls, path: Path) -> "QuickDetector":
        """The trained network of a .pth file; its sizes are read from the shapes of the weights."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        class_count, width = len(state["head.weight"]) - 4, len(state["down4.0.0.weight"])
        model = cls(class_count, width)
        model.load_state_dict(state)
        return model.eval()


def draw_targets(
    boxes: list[Tensor], labels: list[Tensor], class_count: int, side: int
) -> tuple[Tensor, Tensor, Tensor]:
    """What the network should answer: heat (B, C, h, w), box values (B, 4, h, w), mask of centres (B, h, w).

    `boxes` are x1, y1, x2, y2 in pixels of the input, one (N, 4) tensor an image; `side` is h = w.
    """
    heat = torch.zeros(len(boxes), class_count, side, side)
    values, is_centre = torch.zeros(len(boxes), 4, side, side), torch.zeros(len(boxes), side, side, dtype=torch.bool)
    grid = torch.arange(side, dtype=torch.float32)
    for image, (image_boxes, image_labels) in enumerate(zip(boxes, labels, strict=True)):
        for box, label in zip(image_boxes / STRIDE, image_labels, strict=True):
            centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            cell = centre.floor().clamp(0, side - 1)
            # A centre that is off by a cell or two still gives a good box: punish it less. Long boxes forgive more.
            sigma = (size / 8).clamp(min=0.7)
            spot_x = torch.exp(-0.5 * ((grid - cell[0]) / sigma[0]) ** 2)
            spot_y = torch.exp(-0.5 * ((grid - cell[1]) / sigma[1]) ** 2)
            heat[image, label] = torch.maximum(heat[image, label], spot_y[:, None] * spot_x[None, :])
            x, y = int(cell[0]), int(cell[1])
            values[image, :, y, x] = torch.cat([centre - cell, size.clamp(min=0.25).log()])
            is_centre[image, y, x] = True
    return heat, values, is_centre


def detection_loss(output: Tensor, heat: Tensor, values: Tensor, is_centre: Tensor) -> Tensor:
    """Focal loss of the heat maps plus half the L1 loss of the boxes at the centres, both per box."""
    class_count = heat.shape[1]
    logits, box_count = output[:, :class_count], is_centre.sum().clamp(min=1)
    found, missed = F.logsigmoid(logits), F.logsigmoid(-logits)
    probability = logits.sigmoid()
    at_centre = (heat == 1) * (1 - probability) ** 2 * found
    elsewhere = (heat < 1) * (1 - heat) ** 4 * probability**2 * missed
    heat_loss = -(at_centre + elsewhere).sum() / box_count
    answers = output[:, class_count:].permute(0, 2, 3, 1)[is_centre]
    box_loss = F.l1_loss(answers, values.permute(0, 2, 3, 1)[is_centre], reduction="sum") / box_count
    return heat_loss + 0.5 * box_loss


@torch.no_grad()
def find_boxes(output: Tensor, least_confidence: float, most: int = 60) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Network output -> per image boxes (N, 4) in input pixels, scores (N,), class ids (N,), best first."""
    class_count = output.shape[1] - 4
    heat = output[:, :class_count].sigmoid()
    # A peak is a cell that is the highest of its 3 x 3 neighbours: this replaces non-maximum suppression.
    heat = heat * (heat == F.max_pool2d(heat, 3, stride=1, padding=1))
    found = []
    for image_heat, box_values in zip(heat, output[:, class_count:], strict=True):
        scores, index = image_heat.flatten().topk(min(most, image_heat.numel()))
        index, scores = index[scores >= least_confidence], scores[scores >= least_confidence]
        side_w = image_heat.shape[2]
        label, cell = index // image_heat[0].numel(), index % image_heat[0].numel()
        y, x = cell // side_w, cell % side_w
        shift_x, shift_y, log_w, log_h = box_values[:, y, x]
        half = torch.stack([log_w, log_h], dim=1).clamp(max=8).exp() / 2
        centre = torch.stack([x + shift_x, y + shift_y], dim=1)
        found.append((torch.cat([centre - half, centre + half], dim=1) * STRIDE, scores, label))
    return found
