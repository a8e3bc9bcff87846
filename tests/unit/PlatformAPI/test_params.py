"""PlatformAPI.get_train_params and get_test_params"""

import ast
import json

import pytest

import PlatformAPI
from PlatformAPI.parameter_file import read_defaults

YAML = """
train:
  basic params:
    epochs: 3
    lr: 1e-3
    augment: true
    title: first
  network:
    backbone: {type: choice, default: lite0, choices: [lite0, lite1], description: the trunk}
    dropout: {type: float, default: 0, min: 0, max: 0.5}
    width: {type: int, default: 64.0}
test:
  basic params:
    threshold: {default: 0.5}
"""
EXPECTED = {
    "basic params": {"epochs": 3, "lr": 0.001, "augment": True, "title": "first"},
    "network": {"backbone": "lite0", "dropout": 0.0, "width": 64},
}
PRINT = "import PlatformAPI as p\nprint((p.get_train_params(), p.get_test_params()))"


def test_in_the_workstation_they_come_from_run_json(write_run):
    write_run(kind="test", params={"basic params": {"threshold": 0.25}})
    params = PlatformAPI.get_test_params()
    assert params == {"basic params": {"threshold": 0.25}}
    params["basic params"]["threshold"] = 9
    assert PlatformAPI.get_test_params() == {"basic params": {"threshold": 0.25}}


def test_a_test_run_has_the_parameters_of_the_training_whose_weights_it_tests(write_run):
    write_run(kind="test", params={"g": {"threshold": 0.25}}, train_params={"g": {"epochs": 7}})
    assert PlatformAPI.get_train_params() == {"g": {"epochs": 7}}
    assert PlatformAPI.get_test_params() == {"g": {"threshold": 0.25}}


def test_a_test_run_reads_the_training_defaults_from_the_file(script, write_run, tmp_path):
    folder = write_run(kind="test", params={"g": {"threshold": 0.25}})
    (tmp_path / "solution").mkdir()
    (tmp_path / "solution/params.json").write_text('{"train": {"g": {"epochs": 3}}}')
    assert ast.literal_eval(script(PRINT, ARM_RUN_DIR=str(folder)).stdout) == (
        {"g": {"epochs": 3}},
        {"g": {"threshold": 0.25}},
    )


@pytest.mark.parametrize("name", ["params.yaml", "params.json"])
def test_alone_they_are_the_defaults_of_the_file_beside_the_script(script, tmp_path, name):
    import yaml

    folder = tmp_path / "solution"
    folder.mkdir()
    (folder / name).write_text(YAML if name.endswith("yaml") else json.dumps(yaml.safe_load(YAML)))
    out = script(PRINT).stdout
    assert ast.literal_eval(out) == (EXPECTED, {"basic params": {"threshold": 0.5}})
    assert [type(v) for v in ast.literal_eval(out)[0]["network"].values()] == [str, float, int]


def test_alone_without_a_file_there_are_none(script):
    assert script(PRINT).stdout == "({}, {})\n"


@pytest.mark.parametrize(
    ("train", "problem"),
    [
        ({"g": {"n": {"type": "int", "default": 1.5}}}, r"train\.g\.n: the default 1\.5 is not of type int"),
        ({"g": {"n": {"type": "int", "default": True}}}, "not of type int"),
        ({"g": {"n": {"type": "int"}}}, "`default` is missing"),
        ({"g": {"n": {"type": "number", "default": 1}}}, "unknown type 'number'"),
        ({"g": {"n": {"default": 1, "minimum": 0}}}, "unknown key 'minimum'"),
        ({"g": {"n": {"default": 5, "max": 3}}}, "outside max 3"),
        ({"g": {"n": {"default": -1, "min": 0}}}, "outside min 0"),
        ({"g": {"n": {"default": "c", "choices": ["a", "b"]}}}, "not one of a, b"),
        ({"g": {"n": {"type": "choice", "default": "c"}}}, "`choices` is missing"),
        ({"g": {"n": [1, 2]}}, r"train\.g\.n is \[1, 2\]"),
        ({"g": {"n": {"default": 1, "description": ["a"]}}}, r"train\.g\.n\.description is \['a'\]; write a text"),
        ({"g": {"n": {"default": 1, "description": {}}}}, r"train\.g\.n\.description is {}; write a text"),
        ({"g": {"n": {"default": 1, "description": {"de": "a"}}}}, "unknown language 'de'; known are en, ru"),
        ({"g": {"n": {"default": 1, "description": {"ru": 1}}}}, r"train\.g\.n\.description\.ru is 1"),
        ({"n": 3}, "must hold keys and values"),
        ({"n": {"type": "int", "default": 3}}, "outside of a group"),
    ],
)
def test_a_wrong_entry_names_its_path(tmp_path, train, problem):
    (tmp_path / "params.json").write_text(json.dumps({"train": train}))
    with pytest.raises(PlatformAPI.RunFolderError, match=problem):
        read_defaults(tmp_path, "train")


def test_descriptions_in_two_languages_change_no_default(tmp_path):
    entries = {"a": {"default": 1, "description": {"en": "rate", "ru": "шаг"}}, "b": {"default": 2, "description": 3}}
    (tmp_path / "params.json").write_text(json.dumps({"train": {"g": entries}}))
    assert read_defaults(tmp_path, "train") == {"g": {"a": 1, "b": 2}}


@pytest.mark.parametrize(("name", "text"), [("params.json", "{"), ("params.yaml", "a: ["), ("params.yaml", "x: {}")])
def test_a_malformed_file_is_named(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(PlatformAPI.RunFolderError, match=name):
        read_defaults(tmp_path, "train")


def test_missing_pyyaml_says_what_to_do(script, tmp_path):
    (tmp_path / "solution").mkdir()
    (tmp_path / "solution/params.yaml").write_text(YAML)
    done = script("import sys\nsys.modules['yaml'] = None\n" + PRINT, check=False)
    assert done.returncode == 1 and "needs PyYAML" in done.stderr
