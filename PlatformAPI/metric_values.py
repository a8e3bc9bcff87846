"""What a test metric holds, checked when it is built. Shapes of `data`: backend/contracts/runs.py, Metric."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from PlatformAPI.errors import WrongArgumentError
from PlatformAPI.numbers_in import finite_from, list_from, names_from, plain_value, rows_from

Values = Any
"""Any sequence, NumPy array, tensor or pandas column; nested for a matrix."""
TableData = Any
"""{column: values}, a list of rows, or a pandas DataFrame."""


class Metric:
    """A named metric. `data` is what is saved."""

    kind = ""

    def __init__(self, name: str, data: dict[str, Any], description: str = "") -> None:
        if not isinstance(name, str) or not name:
            raise WrongArgumentError(f"the name of a metric is {name!r}, a non-empty string is needed")
        self.name = name
        self.data = data
        self.description = description

    def grid(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows as text, for the console."""
        raise NotImplementedError


class Table(Metric):
    """A table. `data`: {column: values}, a list of rows together with `columns`, or a pandas DataFrame.

    `index` names the rows (a DataFrame brings its own). Cells are numbers, text, booleans or None.
    """

    kind = "table"

    def __init__(
        self, name: str, data: TableData, columns: Values = None, index: Values = None, description: str = ""
    ) -> None:
        about = f"table {name!r}"
        if hasattr(data, "columns") and hasattr(data, "itertuples"):
            columns = list(data.columns) if columns is None else columns
            index = list(data.index) if index is None else index
            rows = [list(row) for row in data.itertuples(index=False, name=None)]
        elif isinstance(data, Mapping):
            if columns is not None:
                raise WrongArgumentError(f"{about}: columns are the keys of the data, do not give them twice")
            columns = list(data)
            cells = [list_from(values, f"{about}: column {key!r}") for key, values in data.items()]
            if len({len(values) for values in cells}) > 1:
                lengths = ", ".join(f"{key!r} {len(v)}" for key, v in zip(columns, cells, strict=True))
                raise WrongArgumentError(f"{about}: columns differ in length: {lengths}")
            rows = [list(row) for row in zip(*cells, strict=True)]
        else:
            if columns is None:
                raise WrongArgumentError(f"{about}: rows need the names of their columns")
            rows = [list_from(row, f"{about}: row {i}") for i, row in enumerate(list_from(data, about))]
        names = names_from(columns, f"{about}: columns")
        for i, row in enumerate(rows):
            if len(row) != len(names):
                raise WrongArgumentError(f"{about}: row {i} has {len(row)} cells, there are {len(names)} columns")
        row_names = None if index is None else names_from(index, f"{about}: index")
        if row_names is not None and len(row_names) != len(rows):
            raise WrongArgumentError(f"{about}: index has {len(row_names)} names, there are {len(rows)} rows")
        plain = [
            [_cell(cell, f"{about}: row {i}, {names[j]!r}") for j, cell in enumerate(row)] for i, row in enumerate(rows)
        ]
        super().__init__(name, {"columns": names, "rows": plain, "index": row_names}, description)

    def grid(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows as text, for the console."""
        index = self.data["index"]
        rows = [[_text(cell) for cell in row] for row in self.data["rows"]]
        if index is None:
            return self.data["columns"], rows
        return ["", *self.data["columns"]], [[name, *row] for name, row in zip(index, rows, strict=True)]


class Matrix(Metric):
    """A matrix of numbers with optional labels; rows and columns are numbered from 0 without them."""

    kind = "matrix"

    def __init__(
        self, name: str, values: Values, row_labels: Values = None, column_labels: Values = None, description: str = ""
    ) -> None:
        about = f"matrix {name!r}"
        rows = rows_from(values, about)
        if not rows:
            raise WrongArgumentError(f"{about} is empty")
        data = {
            "values": rows,
            "row_labels": _labels(row_labels, len(rows), f"{about}: row_labels"),
            "column_labels": _labels(column_labels, len(rows[0]), f"{about}: column_labels"),
        }
        super().__init__(name, data, description)

    def grid(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows as text, for the console."""
        return _labelled_grid(self.data["values"], self.data["row_labels"], self.data["column_labels"])


class ConfusionMatrix(Metric):
    """Counts of predictions: rows are the truth, columns the prediction, both in the order of `labels`."""

    kind = "confusion"

    def __init__(self, name: str, values: Values, labels: Values = None, description: str = "") -> None:
        about = f"confusion matrix {name!r}"
        rows = rows_from(values, about)
        if not rows or len(rows) != len(rows[0]):
            raise WrongArgumentError(f"{about} has {len(rows)} rows, {len(rows[0]) if rows else 0} columns: not square")
        for i, row in enumerate(rows):
            for j, count in enumerate(row):
                if not (count >= 0 and count.is_integer()):
                    raise WrongArgumentError(
                        f"{about}[{i}][{j}] is {count}, a count is needed; shares go into a Matrix"
                    )
        counts = [[int(count) for count in row] for row in rows]
        super().__init__(
            name, {"values": counts, "labels": _labels(labels, len(rows), f"{about}: labels")}, description
        )

    @classmethod
    def from_predictions(
        cls, name: str, y_true: Values, y_pred: Values, labels: Values = None, description: str = ""
    ) -> "ConfusionMatrix":
        """Count pairs of true and predicted classes.

        Classes are 0-based ids into `labels`, or the labels themselves. Without `labels` they are what occurs, sorted.
        """
        about = f"confusion matrix {name!r}"
        truth, prediction = list_from(y_true, f"{about}: y_true"), list_from(y_pred, f"{about}: y_pred")
        if len(truth) != len(prediction):
            raise WrongArgumentError(f"{about}: y_true has {len(truth)} values, y_pred {len(prediction)}")
        truth, prediction = [_cell(c, about) for c in truth], [_cell(c, about) for c in prediction]
        if labels is None:
            labels = sorted({*truth, *prediction}, key=lambda c: (isinstance(c, str), c))
            ids = {label: i for i, label in enumerate(labels)}
        else:
            labels = names_from(labels, f"{about}: labels")
            ids = {**{i: i for i in range(len(labels))}, **{label: i for i, label in enumerate(labels)}}
        counts = [[0] * len(labels) for _ in labels]
        for true, predicted in zip(truth, prediction, strict=True):
            for one in (true, predicted):
                if one not in ids:
                    raise WrongArgumentError(f"{about}: class {one!r} is not in the labels {labels}")
            counts[ids[true]][ids[predicted]] += 1
        return cls(name, counts, labels, description)

    def grid(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows as text, for the console."""
        return _labelled_grid(self.data["values"], self.data["labels"], self.data["labels"])


class Histogram(Metric):
    """Counts between `edges`: one more edge than counts, rising."""

    kind = "histogram"

    def __init__(self, name: str, counts: Values, edges: Values, description: str = "") -> None:
        about = f"histogram {name!r}"
        heights = [finite_from(count, f"{about}: count") for count in list_from(counts, f"{about}: counts")]
        bounds = [finite_from(edge, f"{about}: edge") for edge in list_from(edges, f"{about}: edges")]
        if not heights or len(bounds) != len(heights) + 1:
            raise WrongArgumentError(f"{about} has {len(heights)} counts, {len(bounds)} edges; one more edge is needed")
        if any(low >= high for low, high in pairwise(bounds)):
            raise WrongArgumentError(f"{about}: edges must rise, they are {bounds}")
        if min(heights) < 0:
            raise WrongArgumentError(f"{about}: a count is {min(heights)}, it cannot be negative")
        super().__init__(name, {"counts": heights, "edges": bounds}, description)

    @classmethod
    def from_values(cls, name: str, values: Values, bins: int = 10, description: str = "") -> "Histogram":
        """Count finite raw values into `bins` equal bins from the smallest to the largest; the last bin is closed."""
        about = f"histogram {name!r}"
        if not isinstance(bins, int) or bins < 1:
            raise WrongArgumentError(f"{about}: bins is {bins!r}, a positive integer is needed")
        numbers = [finite_from(value, f"{about}: value") for value in list_from(values, f"{about}: values")]
        if not numbers:
            raise WrongArgumentError(f"{about} has no values")
        low, high = min(numbers), max(numbers)
        if low == high:
            low, high = low - 0.5, high + 0.5
        width = (high - low) / bins
        edges = [low + i * width for i in range(bins)] + [high]
        if not math.isfinite(width) or any(a >= b for a, b in pairwise(edges)):
            raise WrongArgumentError(f"{about}: {bins} bins do not fit between {low} and {high}")
        counts = [0] * bins
        for number in numbers:
            counts[min(int((number - low) / width), bins - 1)] += 1
        return cls(name, counts, edges, description)

    def grid(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows as text, for the console."""
        ranges = pairwise(self.data["edges"])
        rows = [[f"{a:.6g}…{b:.6g}", _text(n)] for (a, b), n in zip(ranges, self.data["counts"], strict=True)]
        return ["range", "count"], rows


def _labels(labels: Values, count: int, about: str) -> list[str]:
    names = [str(i) for i in range(count)] if labels is None else names_from(labels, about)
    if len(names) != count:
        raise WrongArgumentError(f"{about}: {len(names)} labels for {count}")
    return names


def _cell(value: Any, about: str) -> str | int | float | bool | None:
    if value is not None and not isinstance(value, str | int | float):
        try:
            value = plain_value(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise WrongArgumentError(f"{about}: {value!r} is no number, text or None") from error
    if value is None or isinstance(value, str | int | float):
        return value if not isinstance(value, float) else float(value)
    raise WrongArgumentError(f"{about}: {value!r} is no number, text or None")


def _labelled_grid(
    values: list[list[Any]], row_labels: list[str], column_labels: list[str]
) -> tuple[list[str], list[list[str]]]:
    rows = [[label, *map(_text, row)] for label, row in zip(row_labels, values, strict=True)]
    return ["", *column_labels], rows


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
