"""PlatformAPI.get_train_graph_logger().log_point"""

import math

import numpy as np
import pytest
import torch

import PlatformAPI


def test_a_point_has_the_documented_fields(run_dir, events):
    PlatformAPI.get_train_graph_logger().log_point("loss", 0.5, epoch=2, iter=7, info={"lr": 0.1, "note": "шов"})
    (point,) = events("point")
    assert point.pop("t") > 1.6e9
    assert point == {
        "k": "point",
        "s": 1,
        "name": "loss",
        "v": 0.5,
        "e": 2,
        "i": 7,
        "info": {"lr": 0.1, "note": "шов"},
    }


def test_a_point_without_info_has_no_info(run_dir, events):
    PlatformAPI.TrainMetrics().log_point("loss", 1, 0, 0)
    assert "info" not in events("point")[0] and "special" not in events("point")[0]


@pytest.mark.parametrize(
    "value",
    [1, 1.0, True, np.float32(1), np.float64(1), np.int64(1), np.array(1.0), torch.tensor(1.0), torch.ones(1)],
    ids=lambda v: type(v).__name__,
)
def test_every_kind_of_number_is_taken(run_dir, events, value):
    PlatformAPI.get_train_graph_logger().log_point("loss", value, np.int64(3), torch.tensor(4))
    point = events("point")[0]
    assert (point["v"], point["e"], point["i"]) == (1.0, 3, 4)


@pytest.mark.parametrize(("value", "special"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_nan_and_infinity_are_kept_as_special(run_dir, events, value, special):
    PlatformAPI.get_train_graph_logger().log_point("loss", value, 0, 0)
    assert (events("point")[0]["v"], events("point")[0]["special"]) == (None, special)


def test_info_takes_arrays_and_tensors(run_dir, events):
    info = {"lr": np.float32(0.5), "shape": torch.tensor([1, 2]), "bad": math.nan}
    PlatformAPI.get_train_graph_logger().log_point("loss", 0.1, 0, 0, info)
    assert events("point")[0]["info"] == {"lr": 0.5, "shape": [1, 2], "bad": None}


@pytest.mark.parametrize("value", ["0.5", None, [1.0], torch.ones(2), np.ones(3), 1j, 10**400, object()])
def test_a_wrong_value_names_the_graph(run_dir, events, value):
    with pytest.raises(PlatformAPI.WrongArgumentError, match=r"graph 'val loss': value is"):
        PlatformAPI.get_train_graph_logger().log_point("val loss", value, 0, 0)
    assert events("point") == []


@pytest.mark.parametrize("epoch", [1.5, "1", None, True, 2**31, -(2**31) - 1, torch.ones(2)])
def test_a_wrong_epoch_or_iter_names_the_graph_and_the_argument(run_dir, epoch):
    log = PlatformAPI.get_train_graph_logger()
    with pytest.raises(PlatformAPI.WrongArgumentError, match="graph 'loss': epoch is"):
        log.log_point("loss", 1.0, epoch, 0)
    with pytest.raises(PlatformAPI.WrongArgumentError, match="graph 'loss': iter is"):
        log.log_point("loss", 1.0, 0, epoch)


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_graph_needs_a_name(run_dir, name):
    with pytest.raises(PlatformAPI.WrongArgumentError, match="name of a graph"):
        PlatformAPI.get_train_graph_logger().log_point(name, 1.0, 0, 0)


def test_info_that_is_no_json_names_the_graph(run_dir, events):
    circle: list = []
    circle.append(circle)
    for info in (object(), circle, "\ud800"):
        with pytest.raises(PlatformAPI.WrongArgumentError, match="graph 'loss'"):
            PlatformAPI.get_train_graph_logger().log_point("loss", 1.0, 0, 0, info)
    assert events("point") == []


def test_a_line_over_16_mib_is_refused_and_names_the_graph(run_dir, events):
    with pytest.raises(PlatformAPI.WrongArgumentError, match=r"graph 'loss'.*limit is 12 MiB"):
        PlatformAPI.get_train_graph_logger().log_point("loss", 1.0, 0, 0, info="x" * (12 * 2**20))
    assert events("point") == []
