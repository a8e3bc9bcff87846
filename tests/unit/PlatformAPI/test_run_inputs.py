"""PlatformAPI.get_device, get_language, get_seed, get_classes, get_weights_path and a wrong run folder"""

import os

import pytest

import PlatformAPI
from PlatformAPI import run_context


def test_inputs_come_from_run_json(write_run):
    folder = write_run(device="cuda:0", seed=0, classes=["pore", "crack"], weights=["weights/a.pth", "weights/b.pth"])
    (folder / "weights").mkdir()
    (folder / "weights/a.pth").write_bytes(b"w")
    assert PlatformAPI.get_device() == "cuda:0"
    assert PlatformAPI.get_seed() == 0
    assert PlatformAPI.get_classes() == ["pore", "crack"]
    assert PlatformAPI.get_weights_path() == folder / "weights/a.pth"


def test_an_empty_run_folder_has_defaults(run_dir):
    assert PlatformAPI.get_device() == "cpu"
    assert PlatformAPI.get_seed() is None
    assert PlatformAPI.get_classes() == []
    assert PlatformAPI.get_weights_path() is None
    assert PlatformAPI.get_available_datasets() == []


@pytest.mark.parametrize(("locale", "of_machine"), [("ru_RU.UTF-8", "ru"), ("C.UTF-8", "en"), ("", "en")])
def test_the_language_is_the_run_s_and_else_the_machine_s(write_run, script, monkeypatch, locale, of_machine):
    for name in ("LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", locale)
    for chosen in ("en", "ru"):
        write_run(language=chosen)
        monkeypatch.setattr(run_context, "_current", None)
        assert PlatformAPI.get_language() == chosen
    for unknown in ({}, {"language": None}, {"language": "de"}, {"language": ["ru"]}):
        write_run(**unknown)
        monkeypatch.setattr(run_context, "_current", None)
        assert PlatformAPI.get_language() == of_machine
    assert script("import PlatformAPI as p\nprint(p.get_language())").stdout == of_machine + "\n"


def test_weights_that_are_named_but_missing_raise(write_run):
    write_run(weights=["weights/gone.pth"])
    with pytest.raises(PlatformAPI.RunFolderError, match=r"gone\.pth"):
        PlatformAPI.get_weights_path()


@pytest.mark.parametrize(
    ("text", "problem"), [("{", "not valid JSON"), ("[]", "object"), ('{"format": 2}', "format 2")]
)
def test_a_malformed_run_json_says_what_is_wrong(run_dir, text, problem):
    (run_dir / "run.json").write_text(text)
    with pytest.raises(PlatformAPI.RunFolderError, match=problem):
        PlatformAPI.get_device()


def test_a_missing_run_folder_is_named(run_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("ARM_RUN_DIR", str(tmp_path / "gone"))
    with pytest.raises(PlatformAPI.RunFolderError, match="gone"):
        PlatformAPI.get_logger()


def test_alone_the_newest_weights_beside_the_script_are_taken(script, tmp_path):
    weights = tmp_path / "solution" / "weights"
    weights.mkdir(parents=True)
    (weights / "old.pth").write_bytes(b"1")
    (weights / "new.pth").write_bytes(b"2")
    os.utime(weights / "old.pth", (1, 1))
    code = "import PlatformAPI as p\nprint(p.get_weights_path().name, p.get_device(), p.get_seed(), p.get_classes())"
    assert script(code, ARM_DEVICE="cuda:1").stdout == "new.pth cuda:1 None []\n"
