"""Test metrics (step 6): tables, matrices, confusion matrices and histograms, each shown as a tab."""

from PlatformAPI.errors import WrongArgumentError
from PlatformAPI.metric_values import ConfusionMatrix, Histogram, Matrix, Metric, Table, TableData, Values
from PlatformAPI.run_context import current

__all__ = ["ConfusionMatrix", "Histogram", "Matrix", "Table", "TestMetrics", "get_test_metrics_logger"]


class TestMetrics:
    """Writes the test metrics of this run. A metric of the same name replaces the earlier one."""

    __test__ = False  # pytest takes every class named Test… for a test

    def log(self, *metrics: Metric) -> None:
        """Save metrics built with Table, Matrix, ConfusionMatrix or Histogram."""
        run = current()
        for metric in metrics:
            if not isinstance(metric, Metric):
                raise WrongArgumentError(
                    f"{metric!r} is no metric; build a Table, Matrix, ConfusionMatrix or Histogram"
                )
            fields = {"kind": metric.kind, "data": metric.data, "description": metric.description}
            run.writer.write_event("metric", f"metric {metric.name!r}", name=metric.name, **fields)
            if run.console is not None:
                run.console.show_grid(f"METRIC  {metric.name}", *metric.grid())

    def log_table(
        self, name: str, data: TableData, columns: Values = None, index: Values = None, description: str = ""
    ) -> None:
        """Same as `log(Table(...))`."""
        self.log(Table(name, data, columns, index, description))

    def log_matrix(
        self, name: str, values: Values, row_labels: Values = None, column_labels: Values = None, description: str = ""
    ) -> None:
        """Same as `log(Matrix(...))`."""
        self.log(Matrix(name, values, row_labels, column_labels, description))

    def log_confusion_matrix(self, name: str, values: Values, labels: Values = None, description: str = "") -> None:
        """Same as `log(ConfusionMatrix(...))`."""
        self.log(ConfusionMatrix(name, values, labels, description))

    def log_histogram(self, name: str, values: Values, bins: int = 10, description: str = "") -> None:
        """Same as `log(Histogram.from_values(...))`: counts raw values into `bins` equal bins."""
        self.log(Histogram.from_values(name, values, bins, description))


def get_test_metrics_logger() -> TestMetrics:
    """The logger whose `log` saves test metrics."""
    current()
    return TestMetrics()
