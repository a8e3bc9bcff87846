"""docs/sdk.md and docs/sdk.ru.md name everything public, and their metric examples run."""

import re
from pathlib import Path

import pandas as pd
import pytest

import PlatformAPI

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["sdk.md", "sdk.ru.md"])
def test_every_public_name_is_in_the_guide(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [name for name in PlatformAPI.__all__ if name not in text] == []


@pytest.mark.parametrize("page", ["sdk.md", "sdk.ru.md"])
def test_the_examples_run(page, write_run, events):
    folder = write_run(classes=["pore", "crack"], params={"basic params": {"epochs": 3}})
    (folder / "artifacts").mkdir()
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = {m[1]: m[2] for m in re.finditer(r"## (\d)\..*?\n```python\n(.*?)```", text, re.S)}
    names = {"PlatformAPI": PlatformAPI, "epoch": 1, "epochs": 3, "i": 0, "loss": 0.5, "step": 3, "y_true": [0, 1]}
    names |= {"y_pred": [0, 0], "names": ["pore", "crack"], "widths_mm": [1.0, 2.0], "image_path": "/x/a.jpg"}
    names |= {"frame": pd.DataFrame({"a": [1.0, 2.0]}), "x1": 1, "y1": 2, "x2": 3, "y2": 4}
    for number in "34568":
        exec(compile(blocks[number], f"{page} step {number}", "exec"), names)
    kinds = [event["k"] for event in events()]
    assert {kind: kinds.count(kind) for kind in ("progress", "message", "point", "metric", "result")} == {
        "progress": 2,
        "message": 3,
        "point": 1,
        "metric": 8,
        "result": 1,
    }
