"""A pipeline in YAML as an ordinary run: uploaded as a project, started, its progress, points and tables arrive."""

from pathlib import Path

from assets.weld_generator import generate
from tests.integration.runs.live_workstation import LiveWorkstation
from tests.integration.uploads import zip_of

PROJECT = Path(__file__).parents[3] / "solutions" / "atp_classifier"
SMALL = {"learning": {"epochs": 2, "batch_size": 8}, "network": {"width": 4}, "data": {"size": 32}}


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.suffix not in (".pyc", "") and p.is_file()
    }


def test_pipeline_runs_as_an_ordinary_run(live: LiveWorkstation, tmp_path: Path) -> None:
    generate(tmp_path / "welds", images=10, seed=4, size=(160, 120))
    archive = zip_of(files_below(tmp_path / "welds"))
    dataset_id = live.ok("POST", "/datasets/import?name=Welds", content=archive)["id"]
    project_id = live.ok("POST", "/projects", json={"name": "Classifier"})["id"]
    live.ok("PUT", f"/projects/{project_id}/code", content=zip_of(files_below(PROJECT)))
    live.ok("PATCH", f"/projects/{project_id}", json={"train_file": "train.py", "test_file": "test.py"})
    run = live.until_final(live.start_run(project_id, dataset_id=dataset_id, seed=5, params=SMALL, language="ru"), 300)
    assert run.state == "finished", (run.reason, run.stderr_tail)
    assert run.progress == 100
    names = {series.name for series in live.points(run).series}
    assert {"train_loss", "Accuracy", "F1Score"} <= names
    texts = [message.text for message in live.messages(run)]
    assert any(text.startswith("эпоха 2: Accuracy") for text in texts), texts
    metrics = {metric["name"]: metric for metric in live.ok("GET", f"/runs/{run.id}/metrics")}
    assert metrics["Metrics by records"]["data"]["columns"][:2] == ["truth", "answer"]
    assert any(a["path"] == "classifier.pth" for a in live.ok("GET", f"/runs/{run.id}/artifacts"))
