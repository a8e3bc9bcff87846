"""Safe paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.archive_rules import (
    CODE_NOISE,
    SYSTEM_NOISE,
    check_no_clash,
    common_top_folder,
    is_noise,
    safe_path,
)
from backend.domain.errors import InvalidInputError


@pytest.mark.parametrize(("name", "path"), [("a/b.py", "a/b.py"), ("./a//b.py", "a/b.py"), ("шов 1/..x", "шов 1/..x")])
def test_clean_paths(name: str, path: str) -> None:
    assert safe_path(name) == path


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("..", "path_climbs"),
        ("a/../b", "path_climbs"),
        ("/a", "path_absolute"),
        ("//host/a", "path_absolute"),
        ("c:a", "path_drive_letter"),
        ("a\\b", "path_backslash"),
        ("a\nb", "path_control_character"),
        ("a\x00b", "path_control_character"),
        ("", "path_empty"),
        ("./.", "path_empty"),
        ("x" * 256, "path_too_long"),
        ("/".join("x" * 600), "path_too_long"),
        ("\udcff", "path_not_utf8"),
    ],
)
def test_unsafe_paths_are_refused_and_named(name: str, code: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        safe_path(name)
    assert caught.value.code == code and "entry" in caught.value.params


@given(st.text(max_size=40))
def test_whatever_is_let_through_stays_below_the_root(name: str) -> None:
    try:
        parts = safe_path(name).split("/")
    except InvalidInputError:
        return
    assert all(part not in ("", ".", "..") for part in parts) and not name.startswith("/")


def test_noise() -> None:
    assert is_noise("__MACOSX/a", SYSTEM_NOISE) and is_noise("a/._b.jpg", SYSTEM_NOISE)
    assert is_noise("a/__pycache__/b.pyc", CODE_NOISE) and is_noise("b.pyc", CODE_NOISE)
    assert not is_noise("git/a.py", CODE_NOISE) and not is_noise(".git/a", SYSTEM_NOISE)


def test_clashes() -> None:
    check_no_clash(["a/b", "a/c", "b"])
    for paths in (["a", "a"], ["a", "a/b"], ["a/b/c", "a"]):
        with pytest.raises(InvalidInputError):
            check_no_clash(paths)


def test_top_folder() -> None:
    assert common_top_folder(["a/b", "a/c/d"]) == "a/"
    assert common_top_folder(["a/b", "c"]) == common_top_folder(["a"]) == common_top_folder([]) == ""
    assert common_top_folder(["train/images/a"], frozenset({"train"})) == ""
