"""The run folder as docs/run-folder.md promises it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.contracts.datasets import SampleEntry
from backend.contracts.markup import Annotation, Markup
from backend.contracts.runs import Run, Sample
from backend.contracts.workers import RunSpec
from backend.domain.errors import InvalidInputError
from backend.runs.run_folder import RunFolder, run_json


def spec(**fields: object) -> RunSpec:
    run = Run.model_validate(
        {
            "id": "3f",
            "number": 1,
            "project_id": "p",
            "project_name": "P",
            "kind": "train",
            "state": "starting",
            "entry_file": "src/train.py",
            "code_sha256": "",
            "created_at": datetime.now(UTC),
            "samples": (Sample(role="train", dataset_id="d", version=2, split="val"),),
            **fields,
        }
    )
    return RunSpec(run=run, code={}, weights={"best.pth": "0" * 64}, classes=("pore", "crack"))


def test_run_json_has_what_the_document_lists(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs" / "3f")
    folder.make_empty()
    folder.write_run_json(spec(params={"basic params": {"epochs": 3}}, seed=7), {"train": 80})
    assert json.loads(folder.run_json.read_text()) == {
        "format": 1,
        "run_id": "3f",
        "kind": "train",
        "entry_file": "src/train.py",
        "arguments": "",
        "device": "cpu",
        "seed": 7,
        "processes": 1,
        "params": {"basic params": {"epochs": 3}},
        "classes": ["pore", "crack"],
        "samples": [{"role": "train", "dataset_id": "d", "version": 2, "split": "val", "count": 80}],
        "weights": ["weights/best.pth"],
        "limits": {},
    }
    assert folder.run_json.stat().st_mode & 0o777 == 0o444
    assert folder.root.stat().st_mode & 0o777 == 0o700


def test_run_json_says_the_language_of_a_run_that_has_one() -> None:
    assert run_json(spec(language="ru"), {"train": 1})["language"] == "ru"
    assert "language" not in run_json(spec(), {"train": 1})


def test_whichever_card_it_is_the_script_counts_it_from_zero() -> None:
    assert run_json(spec(device="cuda:3"), {"train": 1})["device"] == "cuda:0"


def test_samples_are_lines_of_platform_markup(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "r")
    folder.make_empty()
    markup = Markup(annotation=(Annotation(class_name="шов"),))
    entry = SampleEntry(item_id="i", name="a.jpg", image="0" * 64, width=4, height=3, markup=markup)
    folder.write_sample("val", [entry, entry])
    lines = (folder.inputs_dir / "val.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["markup"]["annotation"][0]["class"] == "шов"
    assert "confidence" not in lines[0]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a\\b", "C:/x"])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    folder = RunFolder(tmp_path)
    for find in (folder.code_file, folder.weights_file, folder.artifact_file):
        with pytest.raises(InvalidInputError):
            find(path)


def test_no_link_leads_out_of_artifacts(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "r")
    folder.make_empty()
    (tmp_path / "secret").write_text("s")
    (folder.artifacts_dir / "w.pth").symlink_to(tmp_path / "secret")
    with pytest.raises(FileNotFoundError):
        folder.artifact_file("w.pth")


def test_an_earlier_attempt_leaves_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "r")
    folder.make_empty()
    (folder.events_dir / "1-0.jsonl").write_text("{}\n")
    folder.make_empty()
    assert list(folder.events_dir.iterdir()) == []
