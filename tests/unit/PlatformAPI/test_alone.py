"""A script without the workstation: the same files in ./arm-run, readable lines on the console."""

import json

CODE = """
import PlatformAPI
PlatformAPI.save_progress_for_platform(0)
PlatformAPI.get_logger().warning("мало данных")
log = PlatformAPI.get_train_graph_logger()
for i in range(1000):
    log.log_point("loss", 0.5, 1, i)
PlatformAPI.get_test_metrics_logger().log(PlatformAPI.Matrix("Matrix A", [[1, 2.25]], ["row"], ["x", "y"]))
PlatformAPI.get_markup_dict_for_images({"weld.jpg": {"annotation": []}}, "ObjectDetection")
(PlatformAPI.get_artifacts_dir() / "a.txt").write_text("x")
PlatformAPI.save_artifact("a.txt")
"""


def test_the_console_is_readable_and_the_files_are_the_same(script, tmp_path):
    out = script(CODE).stdout
    for text in (
        "PROGRESS 0 %",
        "WARNING мало данных",
        "loss = 0.5 (epoch 1, iter 0)",
        "Matrix A",
        "weld.jpg: 0",
        "a.txt",
    ):
        assert text in out, text
    assert out.count("loss = ") < 20
    (file,) = (tmp_path / "solution/arm-run/events").iterdir()
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    kinds = [event["k"] for event in events]
    assert kinds.count("point") == 1000
    assert {"status", "progress", "message", "metric", "result", "artifact"} < set(kinds)


def test_a_closed_console_stops_nothing(script):
    script(
        "import os, PlatformAPI\nos.close(1)\nos.open('/dev/full', os.O_WRONLY)\n"
        "PlatformAPI.get_logger().info('x')\nos._exit(0)"
    )
