"""Named stages."""

from atp.diagnostics import Problems, name_hint
from atp.model.steps import OutputItem, Stage, StageInput
from atp.names import edit_distance
from atp.parsing.steps import check_name, parse_block
from atp.parsing.values import parse_value
from atp.reading.nodes import Mapping, Node, Scalar, Sequence

STAGE_KEYS = ("input", "process", "iterator", "with", "output", "doc")


def is_stage(node: Node) -> bool:
    """A mapping with `process` is a stage; so is one with a slip in that word."""
    return isinstance(node, Mapping) and _process_of(node) is not None


def _process_of(node: Mapping) -> Node | None:
    slips = (
        value
        for key, value in node.entries
        if isinstance(value, Sequence | Mapping) and edit_distance(key.text[:10].lower(), "process") <= 1
    )
    return node.get("process") or next(slips, None)


def parse_stage(key: Scalar, node: Mapping, problems: Problems) -> Stage:
    """A stage of a file."""
    for name, _ in node.entries:
        if name.text not in STAGE_KEYS and not name.is_broken:
            problems.add("E501.stage", name.place, name_hint(name.text, STAGE_KEYS), key=name.text)
    process = _process_of(node)
    assert process is not None
    block = parse_block(process, node.get("iterator"), node.get("with"), problems)
    stage = Stage(key.text, key.place, block)
    stage.inputs = _inputs(node.get("input"), problems)
    stage.outputs, stage.is_output_list = _outputs(node.get("output"), problems)
    doc = node.get("doc")
    if isinstance(doc, Scalar):
        stage.doc = doc.text
    return stage


def _inputs(node: Node | None, problems: Problems) -> list[StageInput]:
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return []
    inputs: list[StageInput] = []
    if isinstance(node, Mapping):
        for key, value in node.entries:
            if check_name(key, problems):
                is_required = isinstance(value, Scalar) and value.value is None
                inputs.append(StageInput(key.text, key.place, None if is_required else parse_value(value, problems)))
    else:
        for item in node.items if isinstance(node, Sequence) else [node]:
            if check_name(item, problems):
                assert isinstance(item, Scalar)
                inputs.append(StageInput(item.text, item.place))
    # Python wants inputs without a default first; a call by name does not mind the order.
    seen: dict[str, StageInput] = {}
    for given in inputs:
        if given.name in seen or given.name == "_":
            problems.add("E505.name", given.place, None, name=given.name)
        seen.setdefault(given.name, given)
    return sorted(seen.values(), key=lambda given: given.default is not None)


def _outputs(node: Node | None, problems: Problems) -> tuple[list[OutputItem], bool]:
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return [], False
    items = node.items if isinstance(node, Sequence) else [node]
    names = [item for item in items if check_name(item, problems)]
    return [OutputItem(n.text, n.place) for n in names if isinstance(n, Scalar)], isinstance(node, Sequence)
