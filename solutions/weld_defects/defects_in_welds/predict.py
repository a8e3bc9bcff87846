"""Boxes for a folder of images: python -m defects_in_welds.predict export/weld_defects.onnx PHOTOS --out predictions

Writes OUT/markup/<name>.json (the platform's markup) and OUT/overlays/<name>.jpg. The weights' suffix names the engine.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from defects_in_welds.data.advice import image_advice
from defects_in_welds.data.image_files import IMAGE_SUFFIXES, check_image, read_rgb, read_scale, shrink_factor
from defects_in_welds.data.problems import chosen_language
from defects_in_welds.evaluation.markup import markup_of
from defects_in_welds.export.engines import Answer, Engine, open_engine

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#00a5b5", "#b8860b", "#f032e6")


def predict_folder(engine: Engine, folder: Path, out: Path, confidence: float, language: str = "en") -> tuple[int, int]:
    """(images done, files that are no readable image: named on stderr, left out). Raises FileNotFoundError if empty."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no image in {folder}")
    stems = [path.stem for path in paths]
    for part in ("markup", "overlays"):
        (out / part).mkdir(parents=True, exist_ok=True)
    bad = 0
    for path in paths:
        size, problems = check_image(path, path.name)
        if size is None:
            bad += 1
            print(problems[0].sentence(language), file=sys.stderr)
            continue
        for advice in image_advice(size, path.name, engine.sides):
            print(advice.sentence(language), file=sys.stderr)
        image, answer = find_in_file(engine, path, size)
        keep = answer["scores"] >= confidence
        answer = {key: value[keep] for key, value in answer.items()}
        lists = [answer[key].tolist() for key in ("boxes", "scores", "labels")]
        markup = markup_of(*lists, engine.classes)
        # Two images may differ in their suffix only.
        name = path.stem if stems.count(path.stem) == 1 else path.name
        text = json.dumps(markup, ensure_ascii=False, indent=1) + "\n"
        (out / "markup" / f"{name}.json").write_text(text, encoding="utf-8")
        draw_overlay(image, answer, engine.classes, image.width / size[0]).save(out / "overlays" / f"{name}.jpg")
    return len(paths) - bad, bad


def find_in_file(engine: Engine, path: Path, size: tuple[int, int]) -> tuple[Image.Image, Answer]:
    """The image as read (a huge one is shrunk) and its boxes in pixels of the file."""
    factor = shrink_factor(size, *engine.sides)
    image = read_rgb(path, factor)
    pixels = np.ascontiguousarray(np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / np.float32(255))
    answer = engine.find(pixels)
    return image, {**answer, "boxes": answer["boxes"] / np.array(read_scale(size, factor), dtype=np.float32)}


def draw_overlay(image: Image.Image, answer: Answer, classes: list[str], scale: float) -> Image.Image:
    """A copy with frames, class names and confidences; `scale` brings boxes to the pixels of this image."""
    picture = image.copy()
    pen, width = ImageDraw.Draw(picture), max(2, round(max(picture.size) / 400))
    font = ImageFont.truetype(_font_path(), max(11, round(max(picture.size) / 50)))
    for box, label, score in zip(answer["boxes"], answer["labels"], answer["scores"], strict=True):
        colour = COLOURS[int(label) % len(COLOURS)]
        x1, y1, x2, y2 = (float(edge) * scale for edge in box)
        pen.rectangle((x1, y1, max(x1, x2), max(y1, y2)), outline=colour, width=width)
        title = f"{classes[int(label)]} {float(score):.2f}"
        left, top, right, bottom = pen.textbbox((x1, y1), title, font=font, anchor="lb")
        down = max(0.0, -top)  # a box at the upper edge is named inside
        pen.rectangle((left, top + down, right, bottom + down), fill=colour)
        pen.text((x1, y1 + down), title, fill="white", font=font, anchor="lb")
    return picture


def _font_path() -> Path:
    """Pillow's own font has no Cyrillic; matplotlib (pycocotools brings it) ships one that has."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Find weld defects in a folder of images.")
    parser.add_argument("weights", type=Path, help=".onnx, .pth or .ckpt")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("predictions"))
    parser.add_argument("--engine", choices=["auto", "torch", "onnx"], default="auto")
    parser.add_argument("--confidence", type=float, default=0.5)
    parser.add_argument("--device", default="cpu", help="of the engine torch, e.g. cuda:0")
    given = parser.parse_args()
    try:
        engine = open_engine(given.weights, given.engine, given.device)
        started = time.perf_counter()
        done, bad = predict_folder(engine, given.folder, given.out, given.confidence, chosen_language("auto"))
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    seconds = time.perf_counter() - started
    print(f"{done} images in {seconds:.1f} s ({done / seconds:.1f} images/s with reading and drawing) -> {given.out}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
