"""Training graphs (step 5). `log_point` is the hot path of the SDK: one encode and one `os.write`."""

from math import isfinite
from time import time
from typing import TYPE_CHECKING, Any

from PlatformAPI.errors import WrongArgumentError
from PlatformAPI.numbers_in import INT32_MAX, INT32_MIN, float_from, int32_from
from PlatformAPI.run_context import current

if TYPE_CHECKING:
    from PlatformAPI.event_encoding import Point


class TrainMetrics:
    """Writes the training graphs of this run."""

    def __init__(self) -> None:
        from PlatformAPI.event_encoding import MAX_LINE_BYTES, Point, encode

        self._encode = encode
        self._point = Point
        self._max_line_bytes = MAX_LINE_BYTES
        run = current()
        self._writer = run.writer
        self._console = run.console
        self._suffix = f" [rank {run.rank}]" if run.rank else ""

    def log_point(self, name: str, value: float, epoch: int, iter: int, info: Any = None) -> None:  # noqa: A002
        """Add one point to the graph `name`.

        Args:
            name: the graph; points with the same name form one line. Under torchrun the graphs of rank 1
                and above have their rank in the name.
            value: a number, a NumPy scalar or a tensor of one element. NaN and infinity are kept as such.
            epoch: the epoch, an integer within 32 bits.
            iter: the iteration, an integer within 32 bits.
            info: anything JSON can hold, shown with the point.

        Raises WrongArgumentError naming the graph and the value. A full disk never raises.
        """
        if type(name) is not str or not name:
            raise WrongArgumentError(f"the name of a graph is {name!r}, a non-empty string is needed")
        if type(value) is not float:
            value = float_from(value, f"graph {name!r}: value")
        if type(epoch) is not int or not INT32_MIN <= epoch <= INT32_MAX:
            epoch = int32_from(epoch, f"graph {name!r}: epoch")
        if type(iter) is not int or not INT32_MIN <= iter <= INT32_MAX:
            iter = int32_from(iter, f"graph {name!r}: iter")  # noqa: A001
        if self._suffix:
            name += self._suffix
        writer = self._writer
        # The encoder writes NaN and infinity as null; `special` keeps which one it was.
        special = None if isfinite(value) else str(value)
        point = self._point(time(), next(writer.sequence), name, value, epoch, iter, special, info)
        try:
            line = self._encode(point) + b"\n"
            is_refused = len(line) > self._max_line_bytes
        except (TypeError, ValueError, RuntimeError, OverflowError):
            is_refused = True
        if is_refused:
            line = _refuse(point, name)
        writer.write(line)
        if self._console is not None:
            self._console.show_point(name, value, epoch, iter)


def _refuse(point: "Point", name: str) -> bytes:
    """Encodes the point once more, for the error that names the graph."""
    from PlatformAPI.event_encoding import encoded_line

    return encoded_line(point, f"graph {name!r}: info")


def get_train_graph_logger() -> TrainMetrics:
    """The logger whose `log_point` draws the training graphs."""
    return TrainMetrics()
