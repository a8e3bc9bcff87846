"""Parts for the files of this folder. Needs no torch."""

import os
from functools import partial


class Net:
    def __init__(self, hidden: int = 8, name: str = "net") -> None:
        self.hidden = hidden

    def __call__(self, images: "Boxes") -> "Logits":
        return Logits()

    def train(self) -> None: ...

    def pair(self) -> tuple[int, int]:
        return 1, 2


class Logits: ...


class Boxes: ...


class Strict:
    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError("size must not be negative")

    def step(self, a: int, b: int = 0) -> None: ...


def make(*args: object, **kwargs: object):
    return Net()


items = [1, 2, 3]
alias = os.system
hidden_call = partial(os.system, "true")
