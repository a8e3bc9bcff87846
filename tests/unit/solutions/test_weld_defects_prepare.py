"""Stage prepare of weld_defects: every fault of a data folder with its file and line, in one go, in two languages."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from defects_in_welds.data.image_files import check_image, read_rgb, shrink_factor
from defects_in_welds.data.platform_sample import read_platform_sample
from defects_in_welds.data.prepare import fingerprint, load_or_prepare, prepare
from defects_in_welds.data.problems import (
    DataError,
    MissingDataError,
    Problem,
    chosen_language,
    raise_for,
    sentences,
    text,
)
from defects_in_welds.data.samples import Sample
from defects_in_welds.data.weld_dataset import WeldDataset
from defects_in_welds.data.yolo_folder import read_yolo_folder
from defects_in_welds.predict import find_in_file, predict_folder
from omegaconf import DictConfig, OmegaConf
from PIL import Image

SOLUTION = Path(__file__).parents[3] / "solutions" / "weld_defects"
DATA = SOLUTION / "defects_in_welds" / "data"


@pytest.fixture
def folder(weld_folder: Path, tmp_path: Path) -> Path:
    """A copy of the generated welds that may be spoiled."""
    shutil.copytree(weld_folder, tmp_path / "data")
    return tmp_path / "data"


def settings(language: str = "en", **data: int) -> DictConfig:
    """configs/params.yaml with other values in the group `data`."""
    config = OmegaConf.load(SOLUTION / "configs" / "params.yaml")
    config.data.update({"language": language, **data})
    return config


def spoil(folder: Path) -> None:
    """One of each fault the solution promises to find."""
    images, labels = folder / "train" / "images", folder / "train" / "labels"
    (first, second, third, *_) = sorted(images.iterdir())
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    (labels / f"{second.stem}.txt").write_text("0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n\nzero 1 2\n")
    (labels / f"{third.stem}.txt").write_text("1 0.95 0.5 0.2 0.2\n1 0.5 0.5 0 0.2\n1 nan 0.5 0.1 0.2\n")
    (labels / "nobody.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    deep = np.linspace(0, 4000, 64 * 48, dtype=np.uint16).reshape(48, 64)
    Image.fromarray(deep).save(images / "deep.png")
    Image.new("L", (64, 48)).save(images / "grey.png")
    Image.new("RGB", (8000, 6000)).save(images / "huge.jpg")
    shutil.rmtree(folder / "test" / "labels")


def test_all_faults_come_at_once_with_file_and_line(folder: Path) -> None:
    spoil(folder)
    found = {(p.code, p.file, p.line) for p in read_yolo_folder(folder).problems}
    train = "data/train"
    assert {
        ("image_broken", f"{train}/images/weld_0000.jpg", None),
        ("class_unknown", f"{train}/labels/weld_0001.txt", 2),
        ("line_wrong", f"{train}/labels/weld_0001.txt", 4),
        ("box_outside", f"{train}/labels/weld_0002.txt", 1),
        ("box_empty", f"{train}/labels/weld_0002.txt", 2),
        ("line_wrong", f"{train}/labels/weld_0002.txt", 3),
        ("image_missing", f"{train}/labels/nobody.txt", 1),
        ("image_16_bit", f"{train}/images/deep.png", None),
        ("image_grey", f"{train}/images/grey.png", None),
        ("image_huge", f"{train}/images/huge.jpg", None),
        ("folder_missing", "data/test/labels", None),
        ("split_boxless", "data/test", None),
    } == {one for one in found if one[0] != "class_unseen"}


def test_boxes_too_narrow_for_the_network_are_counted_with_the_narrowest(folder: Path, tmp_path: Path) -> None:
    """A strip of 12000×300 is computed at 640×16: a defect 60 px high is 3 px there."""
    images, labels = folder / "train" / "images", folder / "train" / "labels"
    for name, heights in (("strip_a", (0.2, 0.3, 0.6)), ("strip_b", (0.1,))):
        Image.new("RGB", (12000, 300)).save(images / f"{name}.jpg")
        rows = [f"0 {0.1 + 0.2 * i} 0.5 0.02 {height}" for i, height in enumerate(heights)]
        (labels / f"{name}.txt").write_text("\n".join(rows))
    total = sum(len(one.boxes) for one in prepare(folder, tmp_path / "prepared", settings()).samples["train"])
    report = json.loads((tmp_path / "prepared" / "report.json").read_text())
    assert {one["code"] for one in report if not one["is_error"]} >= {"image_flat", "boxes_narrow"}

    # Told again where the prepared data are read: the sizes may be others by then.
    warned: list[str] = []
    load_or_prepare(settings(), tmp_path, warned.append)
    [flat, narrow] = warned
    assert [line.split(": the")[0] for line in flat.splitlines()] == [
        f"data/train/images/strip_{one}.jpg: 12000×300" for one in "ab"
    ]
    assert flat.count("640×16") == 2
    assert narrow.startswith(
        f"data/train/images/strip_b.jpg: 2 of {total} boxes of the split train are narrower than 4"
    )
    assert "the narrowest, 1.6 px" in narrow and "data.long_side=640" in narrow
    warned.clear()
    load_or_prepare(settings(long_side=2000), tmp_path, warned.append)
    assert warned == []


def test_a_split_without_a_box_and_a_class_without_one_are_told(folder: Path) -> None:
    (folder / "valid").rename(folder / "val")
    for label in (folder / "val" / "labels").iterdir():
        label.write_text("")
    for label in (folder / "train" / "labels").iterdir():
        label.write_text("0 0.5 0.5 0.2 0.2\n")
    data = read_yolo_folder(folder)
    assert [p.code for p in data.problems if p.is_error] == []
    told = [(p.code, p.file, *p.holes.values()) for p in data.problems]
    assert told == [
        *(("class_unseen", "data/train", name) for name in data.classes[1:]),
        ("split_boxless", "data/val", 2),
    ]


@pytest.mark.parametrize(("language", "line"), [("en", "line 2"), ("ru", "строка 2")])
def test_the_stage_stops_with_the_list_and_leaves_a_report(
    folder: Path, tmp_path: Path, language: str, line: str
) -> None:
    spoil(folder)
    warned: list[str] = []
    with pytest.raises(DataError) as caught:
        prepare(folder, tmp_path / "prepared", settings(language=language), warned.append)
    message = str(caught.value)
    assert f"data/train/labels/weld_0001.txt, {line}" in message
    assert "nobody" in message and "weld_0000.jpg" in message and "test/labels" in message
    assert any("8000×6000" in one for one in warned) and "8000" not in message
    report = json.loads((tmp_path / "prepared" / "report.json").read_text())
    assert {one["code"] for one in report} >= {"image_broken", "image_huge"}
    assert all(one["en"] != one["ru"] for one in report)
    assert not (tmp_path / "prepared" / "samples.json").exists()


def test_a_good_folder_is_written_once_and_read_again(folder: Path, tmp_path: Path) -> None:
    config = settings()
    checked = load_or_prepare(config, tmp_path)
    index = tmp_path / "prepared" / "samples.json"
    stamp, content = index.stat().st_mtime_ns, index.read_bytes()
    assert load_or_prepare(config, tmp_path) == checked
    assert index.stat().st_mtime_ns == stamp, "it was checked again for nothing"
    label = next(path for path in (folder / "train" / "labels").iterdir() if path.read_text())
    label.write_text("4" + label.read_text()[1:])  # the same length and another class
    assert load_or_prepare(config, tmp_path) != checked
    assert index.read_bytes() != content


def test_the_fingerprint_sees_labels_behind_a_linked_folder(folder: Path, tmp_path: Path) -> None:
    labels = folder / "train" / "labels"
    shutil.move(labels, tmp_path / "elsewhere")
    labels.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    before = fingerprint(folder)
    next(labels.glob("*.txt")).write_text("0 0.5 0.5 0.1 0.1\n")
    assert fingerprint(folder) != before


def test_the_fingerprint_does_not_know_times_nor_places(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(folder)
    for path in folder.rglob("*.*"):
        os.utime(path, (1, 1))
    assert fingerprint(shutil.move(folder, tmp_path / "elsewhere")) == before


def test_missing_data_is_a_file_not_found_error_that_advises_dvc_pull(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="dvc pull"):
        load_or_prepare(settings(), tmp_path)
    assert not (tmp_path / "prepared").exists(), "dvc pull would refuse to replace it"


@pytest.mark.parametrize(
    "names", ["names: pore", "names: {1: pore}", "names: [a, a]", "nc: 3", "names: [", "names: []"]
)
def test_wrong_class_names_are_told(folder: Path, names: str) -> None:
    (folder / "data.yaml").write_text(names)
    problems = read_yolo_folder(folder).problems
    assert [(p.code, p.file) for p in problems] == [("names_wrong", "data/data.yaml")]


def test_polygons_become_their_boxes_and_the_split_may_be_called_val(folder: Path) -> None:
    (folder / "valid").rename(folder / "val")
    label = sorted((folder / "val" / "labels").iterdir())[0]
    label.write_text("2 0.1 0.2 0.5 0.25 0.3 0.75\n")
    data = read_yolo_folder(folder)
    assert [p.code for p in data.problems if p.is_error] == []
    [box] = data.samples["valid"][0].boxes
    assert box == pytest.approx((16, 24, 80, 90)) and data.samples["valid"][0].labels == (2,)


def test_the_command_of_the_stage_ends_with_one_and_without_a_traceback(folder: Path, tmp_path: Path) -> None:
    spoil(folder)
    shutil.copytree(SOLUTION / "defects_in_welds", tmp_path / "defects_in_welds")
    shutil.copytree(SOLUTION / "configs", tmp_path / "configs")
    shutil.copy(SOLUTION / "params.yaml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "defects_in_welds.data.prepare", "data.language=ru"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Обучение на этих данных невозможно, ошибок: 8" in done.stderr


@pytest.mark.parametrize("said", [{"language": "ru"}, {"page_language": "ru"}])
def test_the_workstation_run_checks_the_same_before_it_trains(run_folder: Callable, said: dict[str, str]) -> None:
    run = run_folder("weld_defects")
    broken = run.root / "inputs" / "objects" / "weld_0000"
    broken.write_bytes(broken.read_bytes()[:900])
    lines = (run.root / "inputs" / "train.jsonl").read_text().splitlines()
    outside = json.loads(lines[1])
    box = {"type": "rectangle", "exterior": [[150, 10], [190, 30]], "interior": []}
    outside["markup"]["annotation"] = [{"description": "ObjectDetection", "class": "pore", "shape": box}]
    lines[1] = json.dumps(outside)
    (run.root / "inputs" / "train.jsonl").write_text("\n".join(lines) + "\n")
    done = run.start("train", **said)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    [message] = [event["text"] for event in run.events("message") if event["level"] == "error"]
    assert "weld_0000.jpg: изображение не читается" in message
    assert "weld_0001.json, строка 1: рамка 150.0 10.0 190.0 30.0" in message and "160×120" in message
    assert run.events("point") == []


def test_markup_that_is_none_names_its_file_and_line(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24)).save(tmp_path / "a.png")
    (tmp_path / "a.json").write_text('{"annotation":\n [}')
    samples, [problem] = read_platform_sample([str(tmp_path / "a.png")], [str(tmp_path / "a.json")], ["pore"])
    assert (problem.code, problem.file, problem.line) == ("markup_wrong", "a.json", 2)
    assert samples[0].boxes == ()


def test_shapes_that_are_no_rectangle_become_their_box_and_a_class_without_one_is_told(tmp_path: Path) -> None:
    """Left out without a word, a defect in a polygon was learned as sound metal."""
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    shapes = [
        {"type": "rectangle", "exterior": [[1, 2], [11, 12]]},
        {"type": "polygon", "exterior": [[20, 5], [30, 15], [25, 40]]},
        {},
        {"type": None, "exterior": [], "interior": []},
    ]
    annotations = [{"class": "pore", "shape": shape} for shape in shapes]
    (tmp_path / "a.json").write_text(json.dumps({"annotation": annotations}, indent=1))
    [sample], problems = read_platform_sample([str(tmp_path / "a.png")], [str(tmp_path / "a.json")], ["pore"])
    assert sample.boxes == ((1, 2, 11, 12), (20, 5, 30, 40))
    lines = [i for i, line in enumerate((tmp_path / "a.json").read_text().splitlines(), 1) if '"class"' in line]
    assert [(p.code, p.file, p.line, p.is_error) for p in problems] == [
        ("shape_missing", "a.json", line, False) for line in lines[2:]
    ]


def test_the_workstation_run_tells_what_the_network_will_hardly_see(run_folder: Callable) -> None:
    run = run_folder("weld_defects")
    inputs = run.root / "inputs"
    unmarked = [json.loads(line) for line in (inputs / "val.jsonl").read_text().splitlines()]
    for entry in unmarked:
        entry["markup"]["annotation"] = []
    (inputs / "val.jsonl").write_text("\n".join(map(json.dumps, unmarked)) + "\n")
    first, *rest = (inputs / "train.jsonl").read_text().splitlines()
    entry = json.loads(first)
    thin = {"type": "rectangle", "exterior": [[10, 10], [60, 12]], "interior": []}
    # The unknown class ends the run before it trains.
    entry["markup"]["annotation"] = [
        {"description": "ObjectDetection", "class": name, "shape": thin} for name in ("pore", "unheard of")
    ]
    (inputs / "train.jsonl").write_text("\n".join([json.dumps(entry), *rest]) + "\n")
    done = run.start("train", short_side=128, long_side=160)
    assert done.returncode == 1 and "unheard of" in done.stderr
    warned = [event["text"] for event in run.events("message") if event["level"] == "warning"]
    assert any(one.startswith("val: not a single box on its images (2)") for one in warned)
    assert any(one.startswith("weld_0000.jpg: ") and "narrowest, 2.0 px" in one for one in warned), warned


def test_a_16_bit_image_is_stretched_and_not_clipped(tmp_path: Path) -> None:
    deep = np.linspace(1000, 3000, 40 * 30, dtype=np.uint16).reshape(30, 40)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    pixels = np.asarray(read_rgb(tmp_path / "deep.png"))
    assert pixels.shape == (30, 40, 3) and pixels.min() == 0 and pixels.max() == 255
    assert 100 < np.median(pixels) < 155


def test_a_huge_image_is_read_small_and_its_boxes_follow(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    image = Image.new("RGB", (8000, 6000))
    image.paste((255, 255, 255), (2000, 1500, 6000, 3000))
    image.save(path)
    size, _ = check_image(path, "huge.jpg")
    assert size == (8000, 6000)
    (tmp_path / "huge.json").write_text(json.dumps({"annotation": [
        {"class": "pore", "shape": {"type": "rectangle", "exterior": [[2000, 1500], [6000, 3000]]}}]}))  # fmt: skip
    samples, _ = read_platform_sample([str(path)], [str(tmp_path / "huge.json")], ["pore"])
    dataset = WeldDataset(samples, (320, 640))
    pixels, target = dataset[0]
    assert pixels.shape == (3, 640, 853) and dataset.factor(0) == pytest.approx(640 / 6000)
    rows, columns = np.nonzero(pixels[0].numpy() > 0.5)
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert target["boxes"][0].tolist() == pytest.approx(seen, abs=1)


class Whole:
    """An engine that frames every image."""

    classes, sides = ["a"], (320, 640)

    def find(self, image: np.ndarray) -> dict[str, np.ndarray]:
        box = [[0, 0, image.shape[2], image.shape[1]]]
        return {"boxes": np.array(box, np.float32), "labels": np.zeros(1, int), "scores": np.ones(1, np.float32)}


def test_predict_tells_how_small_the_network_sees_a_strip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (12000, 300)).save(tmp_path / "photos" / "strip.jpg")
    Image.new("RGB", (1200, 300)).save(tmp_path / "photos" / "wide.jpg")
    assert predict_folder(Whole(), tmp_path / "photos", tmp_path / "out", 0.5) == (2, 0)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("strip.jpg: 12000×300: the network sees it as 640×16")


def test_boxes_of_a_shrunk_image_end_where_it_ends(tmp_path: Path) -> None:
    """By one factor for both sides a box at the edge came 3 px outside of this file, and a training refused it."""
    size = (4500, 1001)
    Image.new("RGB", size).save(tmp_path / "strip.jpg")
    dataset = WeldDataset([Sample(tmp_path / "strip.jpg", size, ((10.0, 10.0, 4500.0, 1001.0),), (0,))], (320, 640))
    pixels, target = dataset[0]
    assert target["boxes"][0, 2:].tolist() == pytest.approx([pixels.shape[2], pixels.shape[1]], abs=1e-3)

    _, answer = find_in_file(Whole(), tmp_path / "strip.jpg", size)
    assert answer["boxes"][0].tolist() == pytest.approx([0, 0, *size], abs=0.01)


def test_an_image_near_the_size_of_the_network_is_read_as_it_is() -> None:
    assert shrink_factor((960, 720), 320, 640) == 1.0
    assert shrink_factor((1920, 1440), 320, 640) == pytest.approx(640 / 1440)


def test_many_faults_of_a_kind_are_counted_and_not_listed() -> None:
    problems = [Problem("box_empty", f"{i}.txt", 1, {"box": "0 0 0 0"}) for i in range(60)]
    lines = sentences(problems, "en")
    assert len(lines) == 51 and "10 more" in lines[-1]


def test_warnings_stop_nothing_and_a_missing_folder_is_named_as_such() -> None:
    raise_for([Problem("image_grey", "a.png", None, {"mode": "L"})], "en")
    with pytest.raises(MissingDataError):
        raise_for([Problem("folder_missing", "data")], "en")
    with pytest.raises(DataError) as caught:
        raise_for([Problem("text_wrong", "a.txt", None, {"detail": "?"})], "en")
    assert not isinstance(caught.value, FileNotFoundError)


def test_the_language_is_chosen_by_name_or_by_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert (chosen_language("auto"), chosen_language("en")) == ("ru", "en")
    monkeypatch.setenv("LANG", "C.UTF-8")
    assert chosen_language("auto") == "en"
    with pytest.raises(ValueError, match="auto, en, ru"):
        chosen_language("de")


def test_every_sentence_has_both_languages_with_the_same_holes() -> None:
    texts = json.loads((DATA / "problem_texts.json").read_text(encoding="utf-8"))
    for code, one in texts.items():
        assert set(one) == {"en", "ru"}, code
        holes = [sorted(part.split("}")[0] for part in sentence.split("{")[1:]) for sentence in one.values()]
        assert holes[0] == holes[1], code
    assert text("line", "ru") == "строка"
