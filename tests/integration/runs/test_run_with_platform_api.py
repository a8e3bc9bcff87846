"""A script that speaks through PlatformAPI: what it logs is what the pages get."""

import json

from backend.contracts.runs import Run
from tests.integration.runs.live_workstation import LiveWorkstation
from tests.integration.uploads import yolo_files, zip_of

SCRIPT = """
from pathlib import Path
import PlatformAPI as platform

log, graph, metrics = platform.get_logger(), platform.get_train_graph_logger(), platform.get_test_metrics_logger()
log.info(f"classes {platform.get_classes()} device {platform.get_device()} seed {platform.get_seed()}")
train = platform.generate_dataset(platform.get_available_datasets()[0])
images = sorted(train.get_all_images_path())
for epoch in range(3):
    graph.log_point("loss", 1 / (epoch + 1), epoch, 0)
    platform.save_progress_for_platform(100 * (epoch + 1) / 3)
graph.log_point("loss", float("nan"), 3, 0, {"note": "diverged"})
metrics.log_confusion_matrix("cm", [[2, 1], [0, 3]], ["crack", "pore"])
metrics.log_table("classes", [["crack", 0.5], ["pore", float("nan")]], ["class", "AP"])
metrics.log_histogram("scores", [0.1, 0.2, 0.9], bins=2)
box = {"class": "crack", "confidence": 0.75, "shape": {"type": "rectangle", "exterior": [[9, 9], [1, 2]]}}
platform.get_markup_dict_for_images(
    {str(path): {"version": 1, "annotation": [box]} for path in images}, "ObjectDetection"
)
weights = Path(platform.get_artifacts_dir()) / "best.pth"
weights.write_bytes(b"weights")
platform.save_artifact(weights, "pytorch", {"best": True})
log.warning("done")
"""


def test_everything_that_is_logged_arrives(live: LiveWorkstation) -> None:
    dataset_id = live.ok("POST", "/datasets/import?name=Welds", content=zip_of(yolo_files()))["id"]
    project_id = live.project("pass")
    live.ok("PUT", f"/projects/{project_id}/code/train.py", content=SCRIPT.encode())
    run = live.until_final(live.start_run(project_id, dataset_id=dataset_id, seed=5))
    assert run.state == "finished", (run.reason, run.stderr_tail)
    assert run.progress == 100 and run.timings.first_line_s and run.timings.first_line_s > 0
    assert [(m.level, m.text) for m in live.messages(run)] == [
        ("info", "classes ['pore', 'crack'] device cpu seed 5"),
        ("warning", "done"),
    ]
    (series,) = live.points(run).series
    assert series.values == (1.0, 0.5, 1 / 3, None) and series.steps == (0, 1, 2, 3)
    assert_metrics(live, run)
    page = live.ok("GET", f"/runs/{run.id}/results")
    assert [r["name"] for r in page["results"]] == ["a.jpg", "b.jpg"] and page["classes"] == ["crack", "pore"]
    assert page["results"][0]["prediction"]["annotation"][0]["shape"]["exterior"] == [[1, 2], [9, 9]]
    assert page["results"][0]["item_id"] and len(page["results"][0]["truth"]["annotation"]) == 2
    weights = next(a for a in live.ok("GET", f"/runs/{run.id}/artifacts") if a["path"] == "best.pth")
    assert weights["info"]["best"] is True and live.client.get(f"/objects/{weights['sha256']}").content == b"weights"


def assert_metrics(live: LiveWorkstation, run: Run) -> None:
    metrics = {m["name"]: m for m in live.ok("GET", f"/runs/{run.id}/metrics")}
    assert list(metrics) == ["cm", "classes", "scores"]
    assert metrics["cm"]["data"] == {"labels": ["crack", "pore"], "values": [[2, 1], [0, 3]]}
    assert metrics["classes"]["data"]["rows"] == [["crack", 0.5], ["pore", None]], json.dumps(metrics["classes"])
    assert metrics["scores"]["data"]["counts"] == [2, 1]
