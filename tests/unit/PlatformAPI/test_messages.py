"""PlatformAPI.get_logger and save_progress_for_platform"""

import math

import pytest
import torch

import PlatformAPI


def test_three_levels_reach_the_file_in_order(run_dir, events):
    logger = PlatformAPI.get_logger()
    logger.info("TRAIN ||Epoch: 1")
    logger.warning("мало данных\nвторая строка")
    logger.error(ValueError("bad \udcff name"))
    assert [(e["level"], e["text"]) for e in events("message")] == [
        ("info", "TRAIN ||Epoch: 1"),
        ("warning", "мало данных\nвторая строка"),
        ("error", "bad \\udcff name"),
    ]


def test_progress_takes_0_to_100(run_dir, events):
    for value in (0, 12.5, torch.tensor(50.0), 100.00000000000001, 100):
        PlatformAPI.save_progress_for_platform(value)
    assert [e["v"] for e in events("progress")] == [0, 12.5, 50, 100, 100]


@pytest.mark.parametrize("value", [-1, 100.1, math.nan, math.inf, "50", None])
def test_wrong_progress_raises(run_dir, events, value):
    with pytest.raises(PlatformAPI.WrongArgumentError, match="progress is"):
        PlatformAPI.save_progress_for_platform(value)
    assert events("progress") == []


def test_the_first_call_says_that_the_sdk_is_ready_once(run_dir, events):
    PlatformAPI.get_device()
    PlatformAPI.get_seed()
    assert [(e["k"], e["s"], e["what"]) for e in events()] == [("status", 0, "sdk_ready")]
