"""Places in the queue as numbers."""

from backend.domain.queue_ranks import STEP, rank_at, spread

NOW = 1_800_000_000.123  # as large as ranks really are: room between two of them is limited


def test_a_place_lies_between_its_neighbours() -> None:
    ranks = [NOW, NOW + 1, NOW + 2]
    for place in range(4):
        rank = rank_at(ranks, place)
        assert rank is not None
        assert sorted([*ranks, rank]).index(rank) == place


def test_without_room_there_is_no_rank_and_spreading_makes_room() -> None:
    ranks = [NOW, NOW, NOW]
    assert rank_at(ranks, 1) is None
    assert rank_at(spread(ranks), 1) is not None


def test_spread_keeps_the_order_and_never_goes_past_the_last() -> None:
    ranks = spread([NOW - 1, NOW, NOW])
    assert ranks == sorted(set(ranks)) and ranks[-1] == NOW and ranks[-1] - ranks[0] < 3 * STEP
