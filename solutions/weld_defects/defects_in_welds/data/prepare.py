"""Stage `prepare`: python -m defects_in_welds.data.prepare data.folder=... checks everything, then writes prepared/.

prepared/samples.json is what the training reads, prepared/report.json is every fault in both languages.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from defects_in_welds.data.advice import size_advice
from defects_in_welds.data.problems import DataError, Problem, chosen_language, raise_for, warn_of
from defects_in_welds.data.samples import Sample
from defects_in_welds.data.yolo_folder import YoloData, read_yolo_folder
from defects_in_welds.settings_check import SettingError, check_settings

ROOT = Path(__file__).parents[2]
INDEX, REPORT = "samples.json", "report.json"


def load_or_prepare(
    config: DictConfig, root: Path = ROOT, warn: Callable[[str], None] = print
) -> tuple[list[str], dict[str, list[Sample]]]:
    """Classes and samples by split: from prepared/ if it was made from these very files, else checked now.

    Raises MissingDataError (a FileNotFoundError) or DataError, either naming every fault.
    """
    folder, prepared = (root / config.data.folder).absolute(), root / "prepared"
    if (prepared / INDEX).is_file():
        index = json.loads((prepared / INDEX).read_text(encoding="utf-8"))
        if index["fingerprint"] == fingerprint(folder):
            samples = _samples_from(index["samples"], folder)
            # Everything else was told when it was prepared; the sizes may have been changed since.
            warn_of(_size_advice(samples, folder, config), chosen_language(config.data.language), warn)
            return index["classes"], samples
    data = prepare(folder, prepared, config, warn)
    return data.classes, data.samples


def prepare(folder: Path, prepared: Path, config: DictConfig, warn: Callable[[str], None] = print) -> YoloData:
    """Check the folder, write prepared/. Raises as load_or_prepare does; the report of what is there is written before.

    Without the folder nothing is written: `dvc pull` would refuse to replace it.
    """
    language = chosen_language(config.data.language)
    data = read_yolo_folder(folder)
    if not folder.is_dir():
        raise_for(data.problems, language)
    data.problems += _size_advice(data.samples, folder, config)
    prepared.mkdir(parents=True, exist_ok=True)
    _write(prepared / REPORT, [problem.record() for problem in data.problems])
    (prepared / INDEX).unlink(missing_ok=True)
    warn_of(data.problems, language, warn)
    raise_for(data.problems, language, prepared / REPORT)
    samples = {split: [_record(sample, folder) for sample in one] for split, one in data.samples.items()}
    _write(prepared / INDEX, {"fingerprint": fingerprint(folder), "classes": data.classes, "samples": samples})
    return data


def fingerprint(folder: Path) -> str:
    """Changes with any label, with data.yaml, with the name or size of an image. No times: a checkout changes those."""
    digest = hashlib.sha256()
    # Not rglob: it leaves out what lies behind a link to a folder.
    for path in sorted(Path(place, name) for place, _, names in os.walk(folder, followlinks=True) for name in names):
        is_text = path.suffix in (".txt", ".yaml")
        content = path.read_bytes() if is_text else str(path.stat().st_size).encode()
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + content + b"\0")
    return digest.hexdigest()


def _size_advice(samples: dict[str, list[Sample]], folder: Path, config: DictConfig) -> list[Problem]:
    sides = config.data.short_side, config.data.long_side
    return size_advice(
        samples, sides, int(config.model.finest_stride), lambda path: path.relative_to(folder.parent).as_posix()
    )


def _record(sample: Sample, folder: Path) -> dict[str, Any]:
    image = sample.image_path.relative_to(folder).as_posix()
    return {"image": image, "size": sample.size, "boxes": sample.boxes, "labels": sample.labels}


def _samples_from(records: dict[str, list[dict[str, Any]]], folder: Path) -> dict[str, list[Sample]]:
    return {
        split: [
            Sample(folder / one["image"], tuple(one["size"]), tuple(map(tuple, one["boxes"])), tuple(one["labels"]))
            for one in entries
        ]
        for split, entries in records.items()
    }


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


@hydra.main(version_base=None, config_path=str(ROOT / "configs"), config_name="params")
def main(config: DictConfig) -> None:
    """Check and write, then say what is there."""
    try:
        check_settings(config)
        data = prepare((ROOT / config.data.folder).absolute(), ROOT / "prepared", config)
    except (DataError, SettingError) as error:
        # The list is the message: a traceback above it would only hide it.
        print(error, file=sys.stderr)
        sys.exit(1)
    counts = (
        f"{split} {len(one)} images, {sum(len(s.boxes) for s in one)} boxes" for split, one in data.samples.items()
    )
    print("; ".join(counts) + f"; classes: {', '.join(data.classes)}")


if __name__ == "__main__":
    main()
