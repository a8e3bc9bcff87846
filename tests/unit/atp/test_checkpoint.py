"""What `#atp.Checkpoint` keeps where a network has two names, lies in another file or is wrapped for many processes."""

from pathlib import Path

import torch

import atp
from atp.runtime.checkpoint import Checkpoint


def test_default_targets_are_those_of_inner_files_too_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "step.yaml").write_text(
        'atp: 1\nnet: {"#torch.nn.Linear": [2, 2]}\nhead: {"#torch.nn.Linear": [1, 1]}\nmain: {process: []}\n'
    )
    text = """atp: 1
net: {"#torch.nn.Linear": [2, 2]}
same: {"#atp.ddp": "@net"}
step: {"#step.yaml": {net: "@net"}}
ckpt: {"#atp.Checkpoint": {dir: states}}
main: {process: ["@step", {"@ckpt.save": last}]}
"""
    built = atp.load(tmp_path / "t.yaml", text=text).build(seed=0)
    built.run()
    assert list(built["ckpt"].targets) == ["net", "step.head"]
    head = built["step"]["head"]
    kept = head.weight.detach().clone()
    torch.nn.init.zeros_(head.weight)
    built.resume("last")
    assert torch.equal(head.weight, kept)


def test_files_that_steps_call_without_a_name_are_kept_too(tmp_path: Path) -> None:
    (tmp_path / "step.yaml").write_text('atp: 1\nnet: {"#torch.nn.Linear": [1, 1]}\nmain: {process: ["@net.train"]}\n')
    text = 'atp: 1\nckpt: {"#atp.Checkpoint": states}\nmain: {process: ["#step.yaml", "#step.yaml", "@ckpt.save"]}\n'
    built = atp.load(tmp_path / "t.yaml", text=text).build(seed=0)
    assert list(built["ckpt"].targets) == ["step.yaml.net", "step.yaml:2.net"]


def test_state_of_a_wrapped_network_goes_on_without_the_wrapper(tmp_path: Path) -> None:
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    net = torch.nn.Linear(2, 2)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(net)
        Checkpoint(str(tmp_path), targets={"model": wrapped}).save("last")
        alone = torch.nn.Linear(2, 2)
        Checkpoint(str(tmp_path), targets={"model": alone}).load("last")
        assert torch.equal(alone.weight, net.weight)
        torch.nn.init.zeros_(alone.weight)
        Checkpoint(str(tmp_path), targets={"model": alone}).save("alone")
        Checkpoint(str(tmp_path), targets={"model": wrapped}).load("alone")
        assert not net.weight.any()
    finally:
        dist.destroy_process_group()
