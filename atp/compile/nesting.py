"""Which counted loops lie inside other loops, also through the stages that are called there."""

from typing import Any

from atp.compile.building import BuiltPipeline
from atp.model.steps import mentions_in
from atp.model.values import Reference
from atp.runtime.epochs import Epochs


def mark_inner_epochs(main: BuiltPipeline) -> None:
    """Tell each Epochs that a loop inside another one iterates: it is not over as long as that one goes on."""
    pipelines = {id(one.instance): one for one in main.all_pipelines()}
    calls: dict[int, set[int]] = {}  # stage → what it mentions, by identity
    repeated: set[int] = set()  # what is mentioned inside a loop
    counts: list[tuple[Epochs, int, bool]] = []
    for built in pipelines.values():
        for name, stage in built.instance.model.stages.items():
            caller = id(built.components.get(name))
            for mention in mentions_in(stage.block):
                target = _target(mention.reference, built, pipelines)
                if isinstance(target, Epochs) and mention.is_iterated:
                    counts.append((target, caller, mention.is_in_loop))
                calls.setdefault(caller, set()).add(id(target))
                if mention.is_in_loop:
                    repeated.add(id(target))
    waiting = list(repeated)
    while waiting:
        called = calls.get(waiting.pop(), set()) - repeated
        repeated |= called
        waiting += called
    for epochs, caller, is_in_loop in counts:
        epochs.is_inner = epochs.is_inner or is_in_loop or caller in repeated


def _target(reference: Reference, built: BuiltPipeline, pipelines: dict[int, BuiltPipeline]) -> Any:
    """The component or stage that a reference names; of a file that is called, its main stage."""
    if reference.kind not in ("component", "file"):
        return None
    found: Any = pipelines.get(id(built.instance.child(reference))) if reference.kind == "file" else built
    for name in reference.path:
        if not isinstance(found, BuiltPipeline):
            return None  # an attribute
        found = found.components.get(name)
    if isinstance(found, BuiltPipeline):
        return found.components.get(found.instance.model.main_stage() or "")
    return found
