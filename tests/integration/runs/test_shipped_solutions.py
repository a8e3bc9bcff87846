"""The two solutions for a first quarter of an hour go through a live workstation: upload, train, test, look."""

import io
import zipfile
from pathlib import Path

import pytest

from assets.weld_generator import generate
from backend.contracts.runs import Run
from tests.integration.runs.live_workstation import ROOT, LiveWorkstation
from tests.integration.uploads import zip_of

PATIENCE_S = 180
"""the script imports torch and exports ONNX on a machine that may be busy"""


@pytest.fixture(scope="module")
def dataset_id(live: LiveWorkstation, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data") / "welds"
    generate(folder, images=10, seed=4, size=(160, 120))
    return str(live.ok("POST", "/datasets/import?name=Welds", content=zip_of(contents(folder)))["id"])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def uploaded(live: LiveWorkstation, solution: str) -> str:
    """A project made as a user makes it: the folder as an archive, nothing set by hand."""
    project_id = str(live.ok("POST", "/projects", json={"name": solution})["id"])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in contents(ROOT / "solutions" / solution).items():
            packed.writestr(name, content)
    live.ok("PUT", f"/projects/{project_id}/code", content=archive.getvalue())
    return project_id


def weights(live: LiveWorkstation, run: Run) -> dict[str, str]:
    """Kinds of the saved weights by file; the captured logs are artifacts, too."""
    artifacts = live.ok("GET", f"/runs/{run.id}/artifacts")
    return {one["path"]: one["kind"] for one in artifacts if one["kind"] in ("pytorch", "onnx")}


def test_classification_trains_and_tests(live: LiveWorkstation, dataset_id: str) -> None:
    project_id = uploaded(live, "classification")
    params = {"basic params": {"epochs": 2}, "network": {"crop_size": 24, "width": 4}}
    train = live.until_final(live.start_run(project_id, dataset_id=dataset_id, params=params), PATIENCE_S)
    assert train.state == "finished", (train.reason, train.stderr_tail)
    assert train.progress == 100
    series = {series.name: series for series in live.points(train).series}
    assert series.keys() == {"train_loss", "val_loss", "val_accuracy"} and len(series["val_loss"].values) == 2
    assert weights(live, train) == {"classification.pth": "pytorch", "classification.onnx": "onnx"}

    test = live.until_final(
        live.start_run(project_id, "test", dataset_id=dataset_id, train_run_id=train.id), PATIENCE_S
    )
    assert test.state == "finished", (test.reason, test.stderr_tail)
    kinds = {metric["name"]: metric["kind"] for metric in live.ok("GET", f"/runs/{test.id}/metrics")}
    assert kinds == {
        "Confusion matrix": "confusion",
        "Classes": "table",
        "Summary": "table",
        "Confidence of the answers": "histogram",
    }
    page = live.ok("GET", f"/runs/{test.id}/results")
    assert len(page["results"]) == 2 and all(result["truth"] is not None for result in page["results"])


def test_the_plain_script_trains(live: LiveWorkstation, dataset_id: str) -> None:
    run = live.until_final(live.start_run(uploaded(live, "plain_script"), dataset_id=dataset_id), PATIENCE_S)
    assert run.state == "finished", (run.reason, run.stderr_tail)
    (loss,) = live.points(run).series
    assert run.progress == 100 and loss.values[0] > loss.values[-1]
    assert weights(live, run) == {"redraw.pth": "pytorch"}
