"""torchvision's scaling of images, rewritten so that PyTorch and the exported ONNX file compute the same sizes."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes


class InputScaling(GeneralizedRCNNTransform):
    """Scales to whole target sizes; torchvision gives the resampler a float factor, which ONNX rounds its own way."""

    @classmethod
    def like(cls, other: GeneralizedRCNNTransform) -> "InputScaling":
        """The same sizes and normalisation as `other`."""
        return cls(other.min_size, other.max_size, other.image_mean, other.image_std, other.size_divisible)

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        """To the short side `min_size`, or less where the long side would pass `max_size`."""
        height, width = image.shape[-2:]
        short, long = self.min_size[-1], self.max_size
        if torch.jit.is_tracing():
            sides = torch.stack([torch.as_tensor(height), torch.as_tensor(width)]).to(torch.float64)
            factor = torch.minimum(short / sides.min(), long / sides.max())
            new_height, new_width = (sides * factor).round().to(torch.int64).clamp(min=1)
        else:
            factor = min(short / min(height, width), long / max(height, width))
            new_height, new_width = max(1, round(height * factor)), max(1, round(width * factor))
        image = interpolate(image[None], (new_height, new_width), mode="bilinear", align_corners=False)[0]
        if target is not None:
            target["boxes"] = resize_boxes(target["boxes"], (height, width), image.shape[-2:])
        return image, target

    def batch_images(self, images: list[Tensor], size_divisible: int = 32) -> Tensor:
        """One tensor (B, 3, H, W), channels last in memory: a CPU convolves these without rearranging them."""
        batch = super().batch_images(images, size_divisible)
        return batch if torch.jit.is_tracing() else batch.contiguous(memory_format=torch.channels_last)
