"""Fills a local DVC remote, so that `dvc pull` brings the data: python -m defects_in_welds.data.set_up_dvc

--from FOLDER takes a YOLO folder; without it synthetic welds are generated. Run it once in a checkout.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
REMOTE = ".dvc-remote"
EMPTY_FOLDER = "d751713988987e9331980363e24189ce.dir"
"""DVC's name of a folder without files: md5 of the list `[]`"""


def set_up(folder: Path, root: Path = ROOT) -> None:
    """Make `root` a DVC repository with a remote in REMOTE, put `folder` there as `data`, and write data.dvc."""
    if not (root / ".dvc").is_dir():
        is_in_git = subprocess.run(["git", "rev-parse"], cwd=root, capture_output=True, check=False).returncode == 0
        _dvc(root, "init", "--quiet", "--subdir" if is_in_git else "--no-scm")
        _dvc(root, "config", "core.analytics", "false")
        _dvc(root, "remote", "add", "--quiet", "--default", "local", REMOTE)
    if not (root / "dvc.lock").is_file():
        _expect_nothing(root)
    _dvc(root, "add", "--quiet", str(folder.absolute()), "--out", "data", "--to-remote", "--force")


def _expect_nothing(root: Path) -> None:
    """Before the first `dvc repro` its outputs are empty folders: `dvc pull` fails over outputs it knows nothing of."""
    stages = {}
    for name, stage in yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"].items():
        outs = [{"path": out, "md5": EMPTY_FOLDER, "size": 0, "nfiles": 0, "hash": "md5"} for out in stage["outs"]]
        stages[name] = {"cmd": stage["cmd"], "outs": outs}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")
    listing = root / REMOTE / "files" / "md5" / EMPTY_FOLDER[:2] / EMPTY_FOLDER[2:]
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("[]", encoding="utf-8")


def _dvc(root: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, check=True)


def _generate(folder: Path, images: int, seed: int) -> None:
    try:
        from assets.weld_generator import generate
    except ImportError:
        raise SystemExit("the generator is part of the workstation's repository; name a YOLO folder: --from") from None
    generate(folder, images, seed)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fill a local DVC remote with a YOLO folder or with generated welds.")
    parser.add_argument("--from", dest="source", type=Path, help="a YOLO folder: {train,valid,test}/{images,labels}")
    parser.add_argument("--images", type=int, default=300, help="how many to generate")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    if given.source is not None and not (given.source / "data.yaml").is_file():
        raise SystemExit(f"{given.source} holds no data.yaml: it is not a YOLO folder")
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.source
        if folder is None:
            folder = Path(scratch) / "data"
            _generate(folder, given.images, given.seed)
        try:
            set_up(folder)
        except subprocess.CalledProcessError as error:
            raise SystemExit(error.returncode) from None  # dvc has said why
    print(f"{ROOT / REMOTE} is filled; now: dvc pull && dvc repro")


if __name__ == "__main__":
    main()
