"""Code trees and their hashes."""

import pytest

from backend.contracts.projects import Code, CodeFile
from backend.domain.code_tree import (
    check_has_script,
    check_launch_file,
    chosen_launch_file,
    files_from_manifest,
    manifest_bytes,
    with_file,
    without_file,
)
from backend.domain.errors import InvalidInputError, NotFoundError, TooLargeError


def file(path: str, size: int = 1) -> CodeFile:
    return CodeFile(path=path, size_bytes=size, sha256=path * 2)


CODE = Code(sha256="x", files=(file("a.py"), file("lib/b.py"), file("n.md")))


def test_manifest_depends_on_content_not_on_order_and_comes_back() -> None:
    assert manifest_bytes(CODE.files) == manifest_bytes(reversed(CODE.files))
    assert files_from_manifest(manifest_bytes(CODE.files)) == CODE.files
    assert manifest_bytes(CODE.files) != manifest_bytes(CODE.files[1:])


def test_adding_and_removing() -> None:
    assert [f.path for f in with_file(CODE, file("b.py"), 100)] == ["a.py", "b.py", "lib/b.py", "n.md"]
    assert [f.size_bytes for f in with_file(CODE, file("a.py", 9), 100)] == [9, 1, 1]
    assert [f.path for f in without_file(CODE, "n.md")] == ["a.py", "lib/b.py"]
    with pytest.raises(NotFoundError):
        without_file(CODE, "b.py")
    with pytest.raises(InvalidInputError, match="path_clash"):
        with_file(CODE, file("a.py/x"), 100)
    with pytest.raises(TooLargeError):
        with_file(CODE, file("b.py", 98), 100)


def test_a_pipeline_is_a_launch_file_and_a_parameter_file_is_none() -> None:
    code = Code(sha256="", files=(file("params.yaml"), file("train.yaml")))
    check_launch_file(code, "train.yaml")
    with pytest.raises(InvalidInputError, match="launch_file_not_python"):
        check_launch_file(code, "params.yaml")
    with pytest.raises(InvalidInputError, match="launch_file_not_found") as caught:
        check_launch_file(code, "c.py")
    assert caught.value.params["found"] == "train.yaml"
    assert chosen_launch_file(code, "params.yaml", "train.yaml") == "train.yaml"
    check_has_script(["train.yaml"])
    with pytest.raises(InvalidInputError, match="solution_without_launch_file"):
        check_has_script(["params.yaml"])


def test_launch_files() -> None:
    check_launch_file(CODE, "lib/b.py")
    with pytest.raises(InvalidInputError, match="launch_file_not_python"):
        check_launch_file(CODE, "n.md")
    with pytest.raises(InvalidInputError, match="launch_file_not_found") as caught:
        check_launch_file(CODE, "c.py")
    assert caught.value.params["found"] == "a.py, lib/b.py"
    assert chosen_launch_file(CODE, "", "n.md", "a.py") == "a.py"
    assert chosen_launch_file(CODE, "c.py") == ""
    with pytest.raises(InvalidInputError, match="solution_without_launch_file"):
        check_has_script(["n.md"])
