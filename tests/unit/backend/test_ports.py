"""A busy port is stepped over."""

import socket

import pytest

from backend.embedded.ports import is_free, next_free_port


def test_a_busy_port_is_answered_with_the_next_free_one() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        busy = listener.getsockname()[1]
        assert not is_free("127.0.0.1", busy)
        found = next_free_port("127.0.0.1", busy)
        assert found > busy
        assert is_free("127.0.0.1", found)


def test_no_free_port_names_the_range() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        busy = listener.getsockname()[1]
        with pytest.raises(OSError, match=str(busy)):
            next_free_port("127.0.0.1", busy, tries=1)
