"""Devices from what the driver prints."""

from backend.runs.devices import cards_from_listing, find_devices

LISTING = """GPU 0: NVIDIA H200 (UUID: GPU-5e5d)
  MIG 1g.18gb     Device  0: (UUID: MIG-1)
GPU 1: Tesla T4 (UUID: GPU-77)
"""


def test_cards_are_numbered_as_the_driver_numbers_them() -> None:
    assert cards_from_listing(LISTING) == [("cuda:0", "NVIDIA H200"), ("cuda:1", "Tesla T4")]
    assert cards_from_listing("No devices were found\n") == []


def test_there_is_always_a_cpu() -> None:
    assert find_devices("w")[0].name == "cpu"
