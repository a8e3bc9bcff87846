"""PlatformAPI.get_test_metrics_logger with Table, Matrix, ConfusionMatrix, Histogram"""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import PlatformAPI as P

WRONG = P.WrongArgumentError


def test_a_metric_reaches_the_file(run_dir, events):
    P.get_test_metrics_logger().log(P.Table("Stats", {"a": [1, 2.5]}, index=["mean", "std"], description="d"))
    (event,) = events("metric")
    assert {key: event[key] for key in ("name", "kind", "data", "description")} == {
        "name": "Stats",
        "kind": "table",
        "data": {"columns": ["a"], "rows": [[1], [2.5]], "index": ["mean", "std"]},
        "description": "d",
    }


def test_the_short_forms_save_the_same(run_dir, events):
    log = P.TestMetrics()
    log.log_table("t", [[1]], ["a"])
    log.log(P.Table("t", [[1]], ["a"]))
    log.log_matrix("m", [[1, 2]])
    log.log(P.Matrix("m", [[1, 2]]))
    log.log_confusion_matrix("c", [[1]], ["a"])
    log.log(P.ConfusionMatrix("c", [[1]], ["a"]))
    log.log_histogram("h", [1, 2], bins=2)
    log.log(P.Histogram.from_values("h", [1, 2], bins=2))
    saved = [{k: e[k] for k in ("name", "kind", "data")} for e in events("metric")]
    assert saved[::2] == saved[1::2]


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ({"x": [1, 2], "y": ["a", None]}, None),
        ([[1, "a"], (2, None)], ["x", "y"]),
        ({"x": np.array([1, 2]), "y": ["a", None]}, None),
        ({"x": torch.tensor([1, 2]), "y": ["a", None]}, None),
    ],
    ids=["columns", "rows", "numpy", "torch"],
)
def test_a_table_takes_columns_or_rows(data, columns):
    assert P.Table("t", data, columns).data == {"columns": ["x", "y"], "rows": [[1, "a"], [2, None]], "index": None}


def test_a_table_takes_a_dataframe_with_its_index(run_dir, events):
    frame = pd.DataFrame({"acc": [0.9, 0.8, 0.7], "n": [1, 2, 3]}).describe()
    P.get_test_metrics_logger().log(P.Table("t", frame))
    data = events("metric")[0]["data"]
    assert data["columns"] == ["acc", "n"] and data["index"][:2] == ["count", "mean"]
    assert data["rows"][1] == [pytest.approx(0.8), 2.0]


def test_a_nan_in_a_table_or_matrix_becomes_null(run_dir, events):
    P.get_test_metrics_logger().log(P.Table("t", {"a": [math.nan]}), P.Matrix("m", [[math.nan]]))
    assert [e["data"].get("rows") or e["data"]["values"] for e in events("metric")] == [[[None]], [[None]]]


def test_a_confusion_matrix_is_counted_from_predictions():
    matrix = P.ConfusionMatrix.from_predictions("c", np.array([0, 0, 1]), torch.tensor([0, 1, 1]), ["pore", "crack"])
    assert matrix.data == {"values": [[1, 1], [0, 1]], "labels": ["pore", "crack"]}
    named = P.ConfusionMatrix.from_predictions("c", ["pore", "pore", "crack"], ["pore", "crack", "crack"])
    assert named.data == {"values": [[1, 0], [1, 1]], "labels": ["crack", "pore"]}


def test_a_histogram_of_values_agrees_with_numpy():
    values = np.random.default_rng(3).normal(size=500)
    ours = P.Histogram.from_values("h", values, bins=17).data
    counts, edges = np.histogram(values, bins=17)
    assert ours["counts"] == counts.tolist() and ours["edges"] == pytest.approx(edges.tolist())


def test_a_histogram_of_one_repeated_value_has_all_in_one_bin():
    assert sum(P.Histogram.from_values("h", [3, 3, 3], bins=4).data["counts"]) == 3


@pytest.mark.parametrize(
    "build",
    [
        lambda: P.Table("My metric", {"a": [1], "b": [1, 2]}),
        lambda: P.Table("My metric", [[1, 2]], ["a"]),
        lambda: P.Table("My metric", [[1]]),
        lambda: P.Table("My metric", {"a": [[1]]}),
        lambda: P.Table("My metric", {"a": [1]}, index=["x", "y"]),
        lambda: P.Table("My metric", {"a": 5}),
        lambda: P.Matrix("My metric", []),
        lambda: P.Matrix("My metric", [[1], [1, 2]]),
        lambda: P.Matrix("My metric", [["a"]]),
        lambda: P.Matrix("My metric", [[1]], row_labels=["a", "b"]),
        lambda: P.ConfusionMatrix("My metric", [[1, 2]]),
        lambda: P.ConfusionMatrix("My metric", [[0.5]]),
        lambda: P.ConfusionMatrix("My metric", [[-1]]),
        lambda: P.ConfusionMatrix("My metric", [[math.nan]]),
        lambda: P.ConfusionMatrix("My metric", [[1]], ["a", "b"]),
        lambda: P.ConfusionMatrix.from_predictions("My metric", [0], [0, 1]),
        lambda: P.ConfusionMatrix.from_predictions("My metric", [0], [2], ["a", "b"]),
        lambda: P.Histogram("My metric", [1, 2], [0, 1]),
        lambda: P.Histogram("My metric", [1, 2], [0, 2, 1]),
        lambda: P.Histogram("My metric", [-1], [0, 1]),
        lambda: P.Histogram.from_values("My metric", []),
        lambda: P.Histogram.from_values("My metric", [math.inf]),
        lambda: P.Histogram.from_values("My metric", [1, 2], bins=0),
        lambda: P.Histogram.from_values("My metric", [0, 5e-324], bins=10),
    ],
)
def test_a_wrong_metric_is_named(build):
    with pytest.raises(WRONG, match="'My metric'"):
        build()


def test_what_is_no_metric_is_refused(run_dir):
    with pytest.raises(WRONG, match="no metric"):
        P.get_test_metrics_logger().log({"a": 1})
