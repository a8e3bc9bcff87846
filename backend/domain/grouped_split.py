"""A new split of a dataset in which near copies stay together."""

from collections import defaultdict
from collections.abc import Sequence

from backend.domain.errors import InvalidInputError


def grouped_split(groups: Sequence[int], splits: Sequence[int], keys: Sequence[str]) -> list[int]:
    """The split of every image, so that no group lies in two.

    Only groups that lie in several splits have to move; then others move, whole, until the sizes are as near to the old
    ones as this gets. Which of equals moves is decided by `keys` (an image's hash): by chance, but always the same.
    Raises InvalidInputError('split_impossible') when there are fewer groups than splits in use.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for position, group in enumerate(groups):
        members[group].append(position)
    used = sorted(set(splits))
    if len(members) < len(used):
        raise InvalidInputError("split_impossible", groups=len(members), splits=len(used))
    ordered = sorted(members.values(), key=lambda one: (-len(one), min(keys[position] for position in one)))
    wanted = {split: sum(one == split for one in splits) for split in used}
    placed: dict[int, list[list[int]]] = {split: [] for split in used}
    mixed = []
    for together in ordered:
        homes = {splits[position] for position in together}
        if len(homes) == 1:
            placed[homes.pop()].append(together)
        else:
            mixed.append(together)
    lack = {split: wanted[split] - sum(map(len, placed[split])) for split in used}
    for together in mixed:
        home = _home(together, splits, lack)
        placed[home].append(together)
        lack[home] -= len(together)
    _fill_empty(placed, lack)
    _balance(placed, lack)
    result = [0] * len(groups)
    for split, here in placed.items():
        for position in (one for together in here for one in together):
            result[position] = split
    return result


def _home(together: list[int], splits: Sequence[int], lack: dict[int, int]) -> int:
    """Where most is missing; of equals, where most of the group lies already."""
    return max(lack, key=lambda split: (lack[split], sum(splits[position] == split for position in together)))


def _fill_empty(placed: dict[int, list[list[int]]], lack: dict[int, int]) -> None:
    for split in [split for split, here in placed.items() if not here]:
        giver = min((one for one in placed if len(placed[one]) > 1), key=lambda one: len(placed[one][-1]))
        _move(placed, lack, giver, split, placed[giver][-1])


def _balance(placed: dict[int, list[list[int]]], lack: dict[int, int]) -> None:
    """Whole groups go from a split that has too much to one that has too little, the largest that fit first."""
    for taker in sorted(placed, key=lambda split: -lack[split]):
        for giver in sorted(placed, key=lambda split: lack[split]):
            for group in list(placed[giver]):
                fits = 0 < len(group) <= min(lack[taker], -lack[giver])
                if fits and len(placed[giver]) > 1:
                    _move(placed, lack, giver, taker, group)


def _move(placed: dict[int, list[list[int]]], lack: dict[int, int], giver: int, taker: int, group: list[int]) -> None:
    placed[giver] = [one for one in placed[giver] if one is not group]
    placed[taker].append(group)
    lack[giver] += len(group)
    lack[taker] -= len(group)
