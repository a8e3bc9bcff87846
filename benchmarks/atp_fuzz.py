"""Random mutations of the shipped pipeline files: never an unhandled exception, a hang or an import beyond the list.

`python -m benchmarks.atp_fuzz 100000` runs so many; the unit tests run a few of the same.
"""

import faulthandler
import importlib
import random
import sys
import time
from pathlib import Path

import atp
from atp.api import Pipeline
from atp.compile.options import CompileOptions
from atp.compile.stages import compile_stage
from atp.resolution import library
from atp.resolution.allow_list import DEFAULT_ALLOW

EXAMPLES = Path(atp.__file__).parent / "examples"
SHIPPED = sorted((Path(__file__).parents[1] / "solutions").glob("atp_*/*.yaml"))
FILES = [
    *(EXAMPLES / f"{name}.yaml" for name in ("classifier", "gan", "seg", "seg_step")),
    *(path for path in SHIPPED if path.name != "params.yaml"),
]
PIECES = [
    *('"#logging.os.system"', '"#torch.hub.load"', '{"#functools.partial": ["#os.system", ls]}', '"@model.__class__"'),
    *('"#torch.nn.Linear.__init__.__globals__"', "&a", "*a", "!!python/object:os.system", "<<", "?", '"?"', "'", '"'),
    *("$", "@", "#", "$$", "$x.y.z()", "$loop.index", "@params", "@run.rank", "@run", "every(0)", "2 ** 9", "[", "]"),
    *("{", "}", ":", ",", "-", "|", ">", "%", "\t", "\n", "\n  ", " #lib.Net", "null", "1e400", "0x", "\x00", "\ue000"),
    *(
        "\u2028",
        "я",
        "process:",
        "iterator:",
        "output:",
        "input:",
        "with:",
        "set:",
        "break:",
        "else:",
        "if:",
        "params:",
    ),
    *("before:", '"#seg.yaml"', '"#../../x.yaml"', '"#seg_step.yaml:net"', "9" * 50, "-1", "__import__", "lambda: 0"),
]
HANG_S = 300.0  # wall time after which the fuzzer shows where it hangs and gives up
SECONDS_MAX = 5.0  # CPU for one file; a hang is what takes longer


def mutated(text: str, rng: random.Random) -> str:
    """One to six changes: a piece put in, a span removed, doubled, or moved, two lines swapped."""
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(text))
        span = text[at : at + rng.randint(1, 30)]
        kind = rng.randint(0, 5)
        if kind == 0:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + len(span) :]
        elif kind == 2:
            text = text[:at] + span + text[at:]
        elif kind == 3:
            text = text[:at] + rng.choice(PIECES) + text[at + len(span) :]
        elif kind == 4:
            words = text.split(" ")
            words[rng.randrange(len(words))] = rng.choice(words)
            text = " ".join(words)
        else:
            lines = text.split("\n")
            first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            text = "\n".join(lines)
    return text


class ImportWatch:
    """Notes top names that the library asks to import."""

    def __init__(self) -> None:
        self.tops: set[str] = set()

    def import_module(self, name: str) -> object:
        """The same as importlib's."""
        self.tops.add(name.partition(".")[0])
        return importlib.import_module(name)

    def __getattr__(self, name: str) -> object:
        return getattr(importlib, name)


def check_one(path: Path, text: str, with_imports: bool) -> Pipeline:
    """Everything short of creating components: checks, messages, graphs, compilation. Raises what must not be."""
    started = time.process_time()
    pipeline = atp.load(path, text=text)
    report = pipeline.validate("static" if with_imports else "syntax")
    str(report)
    report.to_records("ru")
    if not report.errors:
        pipeline.graph("init").to("mermaid")
        for stage in pipeline.instance.model.stages.values():
            pipeline.graph("exec", stage.name, depth=2).to("dot")
            compiled = compile_stage(pipeline.instance, stage, CompileOptions(limit=1))
            compile(compiled.source(), "x", "exec")
    seconds = time.process_time() - started
    if seconds > SECONDS_MAX:
        raise TimeoutError(f"{seconds:.1f} s of CPU for one file")
    return pipeline


def main(count: int, seed: int) -> int:
    """Run `count` mutations; print what fails and give the number of failures."""
    rng, watch, failures, valid = random.Random(seed), ImportWatch(), 0, 0
    importlib.import_module("torch")  # seconds that are not the file's
    library.importlib = watch  # type: ignore[assignment]
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    allowed = {entry.partition(".")[0] for entry in DEFAULT_ALLOW} | {"builtins", "lib", "atp"}
    for number in range(count):
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        path = rng.choice(FILES)
        text = mutated(texts[path], rng)
        try:
            valid += not check_one(path, text, with_imports=True).validate().errors
        except Exception as error:
            failures += 1
            print(f"--- {number} {path.name}: {type(error).__name__}: {error}\n{text}\n")
            if failures <= 3:
                import traceback

                traceback.print_exc()
    faulthandler.cancel_dump_traceback_later()
    stray = watch.tops - allowed
    print(
        f"{count} files, {valid} still valid, {failures} failures, imports beyond the list: {sorted(stray) or 'none'}"
    )
    return failures + len(stray)


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    sys.exit(min(1, main(*(arguments + [100_000, 0][len(arguments) :]))))
