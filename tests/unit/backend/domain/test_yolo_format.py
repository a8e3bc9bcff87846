"""Label rows and class lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.errors import InvalidInputError
from backend.domain.yolo_format import ImageSize, class_names, parse_labels

SIZE = ImageSize(640, 480)
CLASSES = ("pore", "crack")


def parse(rows: str, size: ImageSize = SIZE):
    return parse_labels(rows.encode(), "a.txt", CLASSES, size)


def test_box_and_polygon_in_pixels() -> None:
    markup, problems = parse("0 0.5 0.5 0.25 0.5\n\n1 0.1 0.1 0.2 0.1 0.2 0.4 0.05 0.3\r\n")
    assert problems == []
    assert [a.class_name for a in markup.annotation] == ["pore", "crack"]
    assert markup.annotation[0].shape.exterior == ((240, 120), (400, 360))
    assert markup.annotation[1].shape.exterior == ((32, 48), (128, 192))


def test_edges_that_rounding_pushed_out_are_clipped() -> None:
    markup, problems = parse("0 0.0499997 0.5 0.1 1.0000005\n")
    assert problems == []
    assert markup.annotation[0].shape.exterior == ((0, 0), (64, 480))


def test_class_written_as_a_float_is_read() -> None:
    assert parse("1.0 0.5 0.5 0.1 0.1")[0].annotation[0].class_name == "crack"


@pytest.mark.parametrize("text", ["1_0", "inf", "1e999", "٣", "--1", "0x1"])
def test_odd_numbers_are_not_classes(text: str) -> None:
    _, problems = parse(f"{text} 0.5 0.5 0.1 0.1")
    assert problems[0].code in ("class_not_integer", "class_out_of_range")


def test_every_fault_of_a_file_is_found() -> None:
    markup, problems = parse("9 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n0 2 0.5 0.1 0.1\n0 0.5\n")
    assert len(markup.annotation) == 1
    assert [(p.line, p.code) for p in problems] == [
        (1, "class_out_of_range"),
        (3, "coordinate_out_of_range"),
        (4, "label_field_count"),
    ]


@given(
    st.integers(0, 1),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
)
def test_a_row_is_either_a_box_inside_the_image_or_a_located_problem(
    number: int, box: tuple[float, ...], size: tuple[int, int]
) -> None:
    markup, problems = parse(f"{number} {' '.join(map(repr, box))}", ImageSize(*size))
    assert len(markup.annotation) + len(problems) == 1
    for annotation in markup.annotation:
        (x1, y1), (x2, y2) = annotation.shape.exterior
        assert 0 <= x1 < x2 <= size[0] and 0 <= y1 < y2 <= size[1]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_but_never_crash(content: bytes) -> None:
    parse_labels(content, "a.txt", CLASSES, SIZE)


@pytest.mark.parametrize(
    ("content", "file", "expected"),
    [
        (b"names: [no, 1, 'a b']", "data.yaml", ("no", "1", "a b")),
        (b"names:\n  1: b\n  0: a\nnc: 2\n", "data.yaml", ("a", "b")),
        ("п\n\n к \n".encode(), "classes.txt", ("п", "к")),
    ],
)
def test_class_lists(content: bytes, file: str, expected: tuple[str, ...]) -> None:
    assert class_names(content, file) == expected


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"nc: 1\nnames: [a, b]", "class_count_differs", 1),
        (b"nc: 1", "yaml_names_missing", None),
        (b"names: a", "yaml_names_missing", 1),
        (b"- a", "yaml_not_mapping", 1),
        (b"", "yaml_not_mapping", 1),
        (b"names:\n- a\n- ''", "class_name_bad", 3),
        (b"names:\n- a\n- [b]", "class_name_bad", 3),
        (b"names: []", "classes_count_bad", None),
        (b"names:\n  a: [", "yaml_syntax", 2),
        (b"\xff", "text_not_utf8", 1),
        (b"names: [a\x00]", "yaml_syntax", None),
    ],
)
def test_faulty_class_lists_are_located(content: bytes, code: str, line: int | None) -> None:
    with pytest.raises(InvalidInputError) as caught:
        class_names(content, "data.yaml")
    problem = caught.value.problems[0]
    assert (problem.code, problem.file) == (code, "data.yaml")
    assert line is None or problem.line == line
