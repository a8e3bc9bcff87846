"""PlatformAPI.get_available_datasets, generate_dataset and Dataset"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import PlatformAPI

MARKUP = {
    "version": 1,
    "image": {"representation": "", "value": ""},
    "annotation": [
        {
            "description": "ObjectDetection",
            "class": "pore",
            "shape": {"type": "rectangle", "exterior": [[1, 2], [3, 4]], "interior": []},
        }
    ],
}


@pytest.fixture
def sample(write_run):
    """A run folder whose train sample has the given images, in the given order."""

    def write(*names: str, role: str = "train") -> Path:
        folder = write_run(samples=[{"role": role, "count": len(names)}], classes=["pore", "crack"])
        objects = folder / "inputs" / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        lines = []
        for i, name in enumerate(names):
            (objects / f"{i:064x}").write_bytes(f"image {i}".encode())
            lines.append(json.dumps({"item_id": str(i), "name": name, "image": f"{i:064x}", "markup": MARKUP}))
        (folder / "inputs" / f"{role}.jsonl").write_text("".join(line + "\n" for line in lines))
        return folder

    return write


def test_samples_are_listed_in_the_order_of_run_json(write_run):
    write_run(samples=[{"role": "train"}, {"role": "val"}, {"role": "test"}])
    assert [d.role for d in PlatformAPI.get_available_datasets()] == ["train", "val", "test"]


def test_a_generated_sample_keeps_the_order_and_pairs_images_with_markup(sample):
    folder = sample("b.jpg", "a.jpg", "шов 3.png")
    (dataset,) = PlatformAPI.get_available_datasets()
    PlatformAPI.generate_dataset(dataset)
    images, markups = dataset.get_all_images_path(), dataset.get_all_markups()
    assert [Path(p).name for p in images] == ["b.jpg", "a.jpg", "шов 3.png"]
    assert [Path(p).read_bytes() for p in images] == [b"image 0", b"image 1", b"image 2"]
    assert [Path(p).name for p in markups] == ["b.json", "a.json", "шов 3.json"]
    assert json.loads(Path(markups[0]).read_text()) == MARKUP
    assert dataset.get_all_add_images_path() == []
    assert Path(images[0]).stat().st_nlink == 2
    assert json.loads((folder / "data/train/classes.json").read_text()) == ["pore", "crack"]


def test_images_that_differ_in_their_suffix_only_get_two_markups(sample):
    sample("a.jpg", "a.png")
    dataset = PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[0])
    assert [Path(p).name for p in dataset.get_all_markups()] == ["a.json", "a.png.json"]


def test_generating_again_changes_nothing_and_new_inputs_are_taken(sample):
    folder = sample("a.jpg")
    (dataset,) = PlatformAPI.get_available_datasets()
    PlatformAPI.generate_dataset(dataset)
    before = (folder / "data/train/index.json").stat()
    PlatformAPI.generate_dataset(dataset)
    assert (folder / "data/train/index.json").stat().st_ino == before.st_ino
    sample("a.jpg", "b.jpg")
    PlatformAPI.generate_dataset(dataset)
    assert len(dataset.get_all_images_path()) == 2
    assert sorted(p.name for p in (folder / "data").iterdir()) == [".train.lock", "train"]


def test_an_unfinished_folder_is_replaced(sample):
    folder = sample("a.jpg")
    (folder / "data/train/images").mkdir(parents=True)
    (folder / "data/train/images/half.jpg").write_bytes(b"")
    dataset = PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[0])
    assert [Path(p).name for p in dataset.get_all_images_path()] == ["a.jpg"]
    assert not (folder / "data/train/images/half.jpg").exists()


def test_a_missing_image_is_named_and_nothing_is_left(sample):
    folder = sample("a.jpg", "weld_7.jpg")
    (folder / "inputs/objects" / f"{1:064x}").unlink()
    with pytest.raises(PlatformAPI.RunFolderError, match=r"weld_7\.jpg"):
        PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[0])
    assert sorted(p.name for p in (folder / "data").iterdir()) == [".train.lock"]


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "..", "", "a/b.jpg", "a\\b.jpg"])
def test_a_name_that_leaves_the_folder_is_refused(sample, name):
    sample("ok.jpg", name)
    with pytest.raises(PlatformAPI.RunFolderError, match="line 2: name is"):
        PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[0])


@pytest.mark.parametrize("line", ["{", "[]", '{"name": "a.jpg"}', '{"name": "a.jpg", "image": "../x"}'])
def test_a_malformed_input_line_is_located(sample, line):
    folder = sample()
    (folder / "inputs/train.jsonl").write_text(line + "\n")
    with pytest.raises(PlatformAPI.RunFolderError, match="line 1"):
        PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[0])


def test_paths_before_generating_say_what_to_call(sample):
    sample("a.jpg")
    with pytest.raises(PlatformAPI.RunFolderError, match="call generate_dataset"):
        PlatformAPI.get_available_datasets()[0].get_all_images_path()


def test_a_folder_made_by_hand_works(run_dir):
    for part in ("images", "markup"):
        (run_dir / "data/val" / part).mkdir(parents=True)
    (run_dir / "data/val/images/a.jpg").write_bytes(b"x")
    (run_dir / "data/val/markup/a.json").write_text("{}")
    (dataset,) = PlatformAPI.get_available_datasets()
    PlatformAPI.generate_dataset(dataset)
    assert len(dataset.get_all_images_path()) == len(dataset.get_all_markups()) == 1


def test_several_processes_may_generate_at_once(sample):
    folder = sample(*(f"{i}.jpg" for i in range(200)))
    code = (
        "import PlatformAPI as p\n"
        "d = p.generate_dataset(p.get_available_datasets()[0])\n"
        "assert all(open(f).read() for f in d.get_all_images_path())\n"
        "print(len(d.get_all_images_path()))"
    )
    ranks = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [rank.communicate()[0] for rank in ranks] == ["200\n"] * 4
    assert sorted(p.name for p in (folder / "data").iterdir()) == [".train.lock", "train"]


ALONE = (
    "import json, PlatformAPI as p\n"
    "ds = p.get_available_datasets()\n"
    "out = {}\n"
    "for d in ds:\n"
    "    p.generate_dataset(d)\n"
    "    out[d.role] = [d.get_all_images_path(), [json.load(open(m)) for m in d.get_all_markups()]]\n"
    "print(json.dumps([out, p.get_classes()]))"
)


def yolo(folder: Path, label: str, part: str = "valid") -> Path:
    for kind in ("images", "labels"):
        (folder / part / kind).mkdir(parents=True)
    Image.new("RGB", (200, 100)).save(folder / part / "images/weld.png")
    (folder / part / "labels/weld.txt").write_text(label)
    (folder / "data.yaml").write_text("names: [pore, crack]\n")
    return folder


def test_alone_a_yolo_folder_beside_the_script_is_read(script, tmp_path):
    data = yolo(tmp_path / "solution/data", "1 0.5 0.5 0.2 0.4\n\n0 0.1 0.1 0.3 0.1 0.3 0.4\n")
    out, classes = json.loads(script(ALONE).stdout)
    images, (markup,) = out["val"]
    assert classes == ["pore", "crack"] and images == [str(data / "valid/images/weld.png")]
    assert [(a["class"], a["shape"]["exterior"]) for a in markup["annotation"]] == [
        ("crack", [[80.0, 30.0], [120.0, 70.0]]),
        ("pore", [[20.0, 10.0], [60.0, 40.0]]),
    ]
    (data / "valid/labels/weld.txt").write_text("")
    assert json.loads(script(ALONE).stdout)[0]["val"][1][0]["annotation"] == []


@pytest.mark.parametrize("label", ["2 .5 .5 .1 .1", "0 1.5 .5 .1 .1", "0 .5 .5 .1", "x .5 .5 .1 .1", "0 nan .5 .1 .1"])
def test_alone_a_wrong_label_is_located(script, tmp_path, label):
    yolo(tmp_path / "elsewhere", "0 .5 .5 .1 .1\n" + label, part="train")
    done = script(ALONE, check=False, ARM_DATA_DIR=str(tmp_path / "elsewhere"))
    assert done.returncode == 1 and "weld.txt, line 2: " in done.stderr
