"""A killed and resumed training is the uninterrupted one: loops in loops, checkpoints that lie in inner files."""

from pathlib import Path
from typing import Any

import pytest

import atp
from atp.cli import main
from atp.compile.building import BuiltPipeline

LIB = """
class Journal:
    def __init__(self):
        self.lines = []
    def __call__(self, round, epoch, loss):
        self.lines.append([round, epoch, loss.item()])
    def state_dict(self):
        return {"lines": list(self.lines)}
    def load_state_dict(self, state):
        self.lines = list(state["lines"])

class Power:
    def __init__(self, cut_at):
        self.cut_at, self.count = cut_at, 0
    def look(self):
        self.count += 1
        if self.count == self.cut_at:
            raise KeyboardInterrupt
"""
COMPONENTS = """atp: 1
params: {cut_at: 0}
net: {"#torch.nn.Linear": [2, 1]}
optimizer: {"#torch.optim.Adam": ["@net.parameters()", 0.1]}
journal: {"#lib.Journal": }
power: {"#lib.Power": "@params.cut_at"}
ckpt: {"#atp.Checkpoint": states}
"""
INNER = """
  iterator: {"@epochs": , output: epoch}
  process:
    - "@power.look"
    - {"#torch.randn": [4, 2], output: images}
    - {"@net": $images, output: out}
    - {"$out.square": , output: squares}
    - {"$squares.mean": , output: loss}
    - "@optimizer.zero_grad"
    - $loss.backward
    - "@optimizer.step"
    - "@power.look"
    - "@journal": [$round, $epoch, $loss]
    - "@epochs.mark_done"
    - {"@ckpt.save": last}
    - "@power.look"
"""
MAIN = """
rounds: {"#atp.Epochs": 3}
main:
  iterator: {"@rounds": , output: round}
  process:
    - INNER
    - "@power.look"
    - "@rounds.mark_done"
    - {"@ckpt.save": last}
    - "@power.look"
"""
LOOPS_LOOKED_AT = 3 * (2 * 3 + 2)


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ").strip()


def _inline(folder: Path) -> str:
    return COMPONENTS + "epochs: {'#atp.Epochs': 2}\n" + MAIN.replace("INNER", _indented(INNER))


def _in_a_stage_of_a_stage(folder: Path) -> str:
    stages = "inner:\n  input: [round]" + INNER + 'between: {input: [round], process: ["@inner": $round]}\n'
    return COMPONENTS + "epochs: {'#atp.Epochs': 2}\n" + stages + MAIN.replace("INNER", '"@between": $round')


def _in_a_file_with_its_own_count(folder: Path) -> str:
    names = ("net", "optimizer", "journal", "power", "ckpt")
    step = "atp: 1\n" + "".join(f"{name}: null\n" for name in names) + "epochs: {'#atp.Epochs': 2}\nmain:\n"
    (folder / "step.yaml").write_text(step + "  input: [round]" + INNER)
    replaced = ", ".join(f'{name}: "@{name}"' for name in names)
    # The checkpoint must not need the file that it is given to: its targets are named.
    whole = COMPONENTS.replace(
        '"#atp.Checkpoint": states',
        '"#atp.Checkpoint": {dir: states, targets: {net: "@net", optimizer: "@optimizer", journal: "@journal",'
        ' rounds: "@rounds", epochs: "@epochs"}}',
    )
    step_component = f"epochs: {{'#atp.Epochs': 2}}\nstep: {{'#step.yaml': {{{replaced}, epochs: '@epochs'}}}}\n"
    return whole + step_component + MAIN.replace("INNER", '"@step": $round')


def _built(folder: Path, text: str, cut_at: int) -> BuiltPipeline:
    (folder / "lib.py").write_text(LIB)
    return atp.load(folder / "t.yaml", text=text, params={"cut_at": cut_at}).build(seed=1)


def _journal(built: BuiltPipeline) -> list[list[Any]]:
    lines: list[list[Any]] = built["journal"].lines
    return lines


@pytest.mark.parametrize("file", [_inline, _in_a_stage_of_a_stage, _in_a_file_with_its_own_count])
def test_run_killed_anywhere_in_nested_loops_goes_on_as_if_it_had_not_been(tmp_path: Path, file: Any) -> None:
    text = file(tmp_path)
    whole = _built(tmp_path, text, cut_at=0)
    whole.run()
    assert [line[:2] for line in _journal(whole)] == [[r, e] for r in range(3) for e in range(2)]
    assert whole["power"].count == LOOPS_LOOKED_AT
    for cut_at in range(3, LOOPS_LOOKED_AT + 1):  # before there is nothing to resume from
        with pytest.raises(KeyboardInterrupt):
            _built(tmp_path, text, cut_at).run()
        resumed = _built(tmp_path, text, cut_at=0)
        resumed.run(resume="last")
        assert _journal(resumed) == _journal(whole), cut_at


def test_outer_pass_that_is_repeated_runs_all_its_inner_passes(tmp_path: Path) -> None:
    text = _inline(tmp_path).replace('    - "@rounds.mark_done"\n', "")
    with pytest.raises(KeyboardInterrupt):
        _built(tmp_path, text, cut_at=16).run()  # after the save at the end of the second of three rounds
    resumed = _built(tmp_path, text, cut_at=0)
    resumed.run(resume="last")
    assert [line[0] for line in _journal(resumed)] == [0, 0, 1, 1, 1, 1, 2, 2]


def test_counted_loop_inside_a_plain_one_runs_at_every_pass_of_a_resumed_run(tmp_path: Path) -> None:
    text = _inline(tmp_path).replace('@rounds": ,', '#range": 3,').replace('    - "@rounds.mark_done"\n', "")
    _built(tmp_path, text, cut_at=0).run()
    resumed = _built(tmp_path, text, cut_at=0)
    resumed.run(resume="last")
    assert len(_journal(resumed)) == 12


def test_finished_training_that_is_resumed_has_nothing_left_to_do(tmp_path: Path) -> None:
    saved_after = "  process:\n   after: [{'@ckpt.save': last}]\n   each:\n    - iterator"
    text = _inline(tmp_path).replace("  process:\n    - iterator", saved_after)
    assert saved_after in text
    whole = _built(tmp_path, text, cut_at=0)
    whole.run()
    resumed = _built(tmp_path, text, cut_at=0)
    resumed.run(resume="last")
    assert _journal(resumed) == _journal(whole) and resumed["power"].count == 0


def test_checkpoint_that_only_an_inner_file_has_is_resumed(tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_text(LIB)
    inner = COMPONENTS + "epochs: {'#atp.Epochs': 2}\nmain:\n  input: [round]" + INNER
    (tmp_path / "step.yaml").write_text(inner)
    text = 'atp: 1\nstep: {"#step.yaml": {params.cut_at: CUT}}\nmain: {process: [{"@step": 0}]}\n'
    with pytest.raises(KeyboardInterrupt):
        atp.load(tmp_path / "t.yaml", text=text.replace("CUT", "4")).build(seed=1).run()
    resumed = atp.load(tmp_path / "t.yaml", text=text.replace("CUT", "0")).build(seed=1, resumed=True)
    resumed.run(resume="last")
    assert [line[1] for line in resumed["step"]["journal"].lines] == [0, 1]


STATES = """atp: 1
params: {width: 2}
net: {"#torch.nn.Linear": ["@params.width", 1]}
ckpt: {"#atp.Checkpoint": states}
main: {process: ["@ckpt.save"]}
"""


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (
            "atp: 1\nmain: {process: []}\n",
            ["--resume", "last"],
            "there is no component '#atp.Checkpoint' to resume from",
        ),
        (STATES, ["--resume", "best"], "there is no checkpoint states/best.pt"),
        (STATES, ["--resume", "last", "--set", "width=3"], "the state of net in states/last.pt does not fit: "),
    ],
)
def test_run_that_cannot_be_resumed_says_why_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, arguments: list[str], said: str
) -> None:
    (tmp_path / "t.yaml").write_text(text)
    assert main(["run", "t.yaml"]) == 0
    assert main(["run", "t.yaml", *arguments]) == 2
    assert f"\natp: {said}" in "\n" + capsys.readouterr().err
