"""How soon to ask an API again that other runs need as well."""

PAUSE_PER_SECOND = 4.0


def pause_after(spent_s: float, shortest_s: float, longest_s: float) -> float:
    """Seconds to wait after a request that took `spent_s`: four times as long, within the two bounds.

    So one that asks again and again keeps a slow API busy for a fifth of the time at most, with more in each request.
    """
    return min(max(shortest_s, PAUSE_PER_SECOND * spent_s), longest_s)
