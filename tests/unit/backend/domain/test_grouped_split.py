"""A grouped split keeps near copies together and the sizes of the splits."""

import hashlib
from collections import Counter, defaultdict

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.domain.errors import InvalidInputError
from backend.domain.grouped_split import grouped_split


def keys(count: int) -> list[str]:
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]


IMAGES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=60)


@given(IMAGES)
def test_no_group_lies_in_two_splits_and_no_split_is_lost(images: list[tuple[int, int]]) -> None:
    groups, splits = [group for group, _ in images], [split for _, split in images]
    assume(len(set(groups)) >= len(set(splits)))
    new = grouped_split(groups, splits, keys(len(images)))
    homes = defaultdict(set)
    for group, split in zip(groups, new, strict=True):
        homes[group].add(split)
    assert all(len(found) == 1 for found in homes.values())
    assert set(new) == set(splits)
    assert new == grouped_split(groups, splits, keys(len(images)))


@given(IMAGES)
def test_sizes_differ_by_less_than_the_largest_group(images: list[tuple[int, int]]) -> None:
    """With single images at hand to even it out, a split is as large as before, but for a group that fits nowhere."""
    groups, splits = [group for group, _ in images], [split for _, split in images]
    singles = [split for split in sorted(set(splits)) for _ in range(len(images))]
    groups += range(100, 100 + len(singles))
    splits += singles
    new = grouped_split(groups, splits, keys(len(groups)))
    assert Counter(new) == Counter(splits)


def test_a_clean_split_stays_as_it_is() -> None:
    assert grouped_split([0, 0, 1, 2, 2, 3], [0, 0, 0, 1, 1, 2], keys(6)) == [0, 0, 0, 1, 1, 2]


def test_only_what_must_moves() -> None:
    groups = [0, 0, *range(1, 11)]
    splits = [0, 2, *[0] * 6, *[1] * 2, *[2] * 2]
    new = grouped_split(groups, splits, keys(12))
    assert Counter(new) == Counter(splits)
    assert sum(a != b for a, b in zip(new, splits, strict=True)) == 2


def test_one_group_of_everything_cannot_be_split() -> None:
    with pytest.raises(InvalidInputError) as refusal:
        grouped_split([0, 0, 0], [0, 1, 2], keys(3))
    assert (refusal.value.code, refusal.value.params) == ("split_impossible", {"groups": 1, "splits": 3})


def test_a_split_is_never_left_empty() -> None:
    groups = [0] * 20 + [1] * 3 + [2]
    splits = [0] * 18 + [1, 2] + [0, 1, 2] + [0]
    assert set(grouped_split(groups, splits, keys(24))) == {0, 1, 2}
