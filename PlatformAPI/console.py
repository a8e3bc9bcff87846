"""What a script prints when it runs alone. In the workstation nothing is printed: the agent ships the event files."""

import sys
import time


class Console:
    """Readable lines on standard output; graph points of one name are shown at most once a second."""

    def __init__(self) -> None:
        self._shown_at: dict[str, float] = {}
        self._shown_percent = -1

    def show(self, text: str) -> None:
        """Print one line. A closed or narrow terminal is no reason to stop a training."""
        if sys.stdout is None:
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except UnicodeEncodeError:
            sys.stdout.write(text.encode("ascii", "backslashreplace").decode() + "\n")
        except (OSError, ValueError):
            return

    def show_message(self, level: str, text: str) -> None:
        """Print a message with its time and level."""
        self.show(f"{time.strftime('%H:%M:%S')} {level.upper():7} {text}")

    def show_progress(self, percent: float) -> None:
        """Print the progress when its whole percent changes."""
        if int(percent) != self._shown_percent:
            self._shown_percent = int(percent)
            self.show(f"{time.strftime('%H:%M:%S')} PROGRESS {percent:.0f} %")

    def show_point(self, name: str, value: float, epoch: int, iteration: int) -> None:
        """Print a point, unless one of the same graph was printed within the last second."""
        now = time.monotonic()
        if now - self._shown_at.get(name, -1.0) >= 1.0:
            self._shown_at[name] = now
            self.show(f"{time.strftime('%H:%M:%S')} GRAPH   {name} = {value:.6g} (epoch {epoch}, iter {iteration})")

    def show_grid(self, title: str, header: list[str], rows: list[list[str]]) -> None:
        """Print a small table; of a long one only the first 20 rows."""
        shown = [header, *rows[:20]] if header else rows[:20]
        widths = [max(len(row[j]) for row in shown if j < len(row)) for j in range(max(map(len, shown), default=0))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=False)) for row in shown]
        if len(rows) > 20:
            lines.append(f"… {len(rows) - 20} more rows")
        self.show("\n".join([title, *("  " + line for line in lines)]))
