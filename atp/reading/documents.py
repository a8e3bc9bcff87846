"""Reads one YAML document to nodes: limits, E100–E104, and repair of forgotten quotes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from atp.diagnostics import Hint, Place, Problems
from atp.reading.nodes import Mapping, Node, Scalar, Sequence
from atp.reading.repairs import AT, HASH, WINDOW, Repaired, reference_in_comment, restored
from atp.reading.scalars import scalar_value

CHARACTERS_MAX = 1_000_000
DEPTH_MAX = 60
NODES_MAX = 100_000
_REPAIR_PASSES_MIN, _REPAIR_PASSES_MAX = 40, 1000  # each forgotten quote around `@` takes one
_REPAIR_CHARACTERS_MAX = 3_000_000  # of all passes together, beyond the first ones
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_HALF_QUOTED = re.compile(
    r""":\s*("[^"]*"|'[^']*')[\s<>=!+*/%-]*\Z"""
)  # `if: "@a.b" > 3`: YAML stops behind the quotes
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Document:
    """A read file: its lines as written, and its root if it could be read."""

    file: str
    lines: tuple[str, ...]
    root: Node | None
    repaired: Repaired


@dataclass
class _Open:
    """A list or mapping that is being read: the key that waits for its value, and the keys so far."""

    node: Sequence | Mapping
    waiting: list[Scalar] = field(default_factory=list)
    keys: dict[str, Scalar] = field(default_factory=dict)


class _LimitError(Exception):
    def __init__(self, line: int, column: int, what: str, most: int) -> None:
        super().__init__(what)
        self.line, self.column, self.holes = line, column, {"what": what, "most": most}


_Failure = tuple[int, int, str, dict[str, object]]  # line, column, key, holes


def read_document(text: str, file: str, problems: Problems) -> Document:
    """Read a text. What is wrong goes to `problems`; never raises for a bad text."""
    lines = _LINE_BREAK.split(text.removeprefix("\ufeff"))
    document = Document(file, tuple(lines), None, Repaired(list(lines)))
    if len(text) > CHARACTERS_MAX:
        problems.add("E100.limit", Place(file, 0, 0, 1), what="limit.characters", most=CHARACTERS_MAX)
        return document
    if HASH in text or AT in text:
        problems.add("E100.yaml", Place(file, 0, 0, 1), reason="U+E000, U+E001")
        return document
    repaired = document.repaired
    furthest: tuple[Repaired, _Failure] | None = None
    for _ in range(max(_REPAIR_PASSES_MIN, min(_REPAIR_PASSES_MAX, _REPAIR_CHARACTERS_MAX // (len(text) + 1)))):
        reader = _Reader(file, repaired, Problems())
        failure = _attempt(reader, document)
        if failure is None and not reader.found_comments:
            problems.extend(reader.problems.sorted())
            break
        if failure is None:
            for line, column, reference in reader.found_comments:
                repaired.replace(line, column, HASH)
                repaired.hashes[line, column] = reference
            continue
        if furthest is None or failure[:2] > furthest[1][:2] or repaired.ats - furthest[0].ats:
            furthest = repaired.copy(), failure
        if not _repair(repaired, failure[0], failure[1]):
            _take_back(document, *furthest, problems)
            break
    else:
        if furthest:
            _take_back(document, *furthest, problems)
    _report_repairs(document, problems)
    return document


def _take_back(document: Document, sound: Repaired, failure: _Failure, problems: Problems) -> None:
    """The file stays unreadable: comments that were taken for references in vain are comments."""
    document.repaired = sound
    if not sound.hashes and not sound.ats:
        line, column, key, holes = failure
        is_half_quoted = _HALF_QUOTED.search(document.lines[line][:column]) is not None
        hint = Hint("hint.quote_whole") if is_half_quoted and key == "E100.yaml" else None
        problems.add(key, Place(document.file, line, column, column + 1), hint, **holes)


def _attempt(reader: "_Reader", document: Document) -> _Failure | None:
    """Fills `document.root`; says what stops the reading."""
    last_line = len(document.lines) - 1
    try:
        document.root = reader.read()
    except _LimitError as error:
        return error.line, error.column, "E100.limit", error.holes
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (min(mark.line, last_line), mark.column) if mark else (0, 0)
        return line, column, "E100.yaml", {"reason": restored(error.problem or error.context or "?")}
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        return 0, 0, "E100.yaml", {"reason": str(error).splitlines()[0]}
    return None


def _repair(repaired: Repaired, line: int, column: int) -> bool:
    """Repairs the symbol that stops the parser. False if the reason is another one."""
    source = repaired.lines[line]
    if source[column : column + 1] == "@":
        repaired.replace(line, column, AT)
        repaired.ats.add((line, column))
        return True
    for candidate in range(line, -1, -1):
        found = reference_in_comment(repaired.lines[candidate][:WINDOW])
        if found:
            repaired.replace(candidate, found[0], HASH)
            repaired.hashes[candidate, found[0]] = found[1]
            return True
    return False


def _report_repairs(document: Document, problems: Problems) -> None:
    for (line, column), reference in document.repaired.hashes.items():
        place = Place(document.file, line, column, column + 1 + len(reference))
        problems.add("E101", place, Hint("hint.quote", {"text": f'"#{reference}"'}), reference=f"#{reference}")
    for line, column in document.repaired.ats:
        rest = document.lines[line][column:]
        word = re.match(r"@[\w.]*(\(\))?", rest)
        text = word.group() if word else "@"
        place = Place(document.file, line, column, column + len(text))
        problems.add("E102", place, Hint("hint.quote", {"text": f'"{text}"'}), text=text)


@dataclass
class _Reader:
    """One pass over the events of the parser."""

    file: str
    repaired: Repaired
    problems: Problems
    found_comments: list[tuple[int, int, str]] = field(default_factory=list)
    count: int = 0

    def read(self) -> Node | None:
        events: Iterator[yaml.Event] = iter(yaml.parse(self.repaired.text, Loader=_LOADER))
        stack: list[_Open] = []
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _LimitError(len(self.repaired.lines) - 1, 0, "limit.documents", 1)
                continue
            if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                stack.pop()
                continue
            if not isinstance(event, yaml.NodeEvent):
                continue
            node = self._node(event)
            if stack:
                self._put(stack[-1], node)
            else:
                root = node
            if isinstance(node, Sequence | Mapping):
                stack.append(_Open(node))
                if len(stack) > DEPTH_MAX:
                    raise _LimitError(node.place.line, node.place.column, "limit.depth", DEPTH_MAX)
        return root

    def _node(self, event: yaml.NodeEvent) -> Node:
        self.count += 1
        start, end = event.start_mark, event.end_mark
        assert start is not None and end is not None
        last = len(self.repaired.lines) - 1
        line = min(start.line, last)
        width = len(self.repaired.lines[line])
        end_column = end.column if end.line == start.line else width
        place = Place(self.file, line, start.column, max(end_column, start.column + 1))
        if self.count > NODES_MAX:
            raise _LimitError(place.line, place.column, "limit.nodes", NODES_MAX)
        if event.anchor is not None or getattr(event, "tag", None) is not None:
            name = event.anchor if event.anchor is not None else getattr(event, "tag", "")
            self.problems.add("E104", place, name=restored(str(name)))
            if isinstance(event, yaml.AliasEvent):
                return Scalar(place, "", None, is_broken=True)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(place)
        if isinstance(event, yaml.MappingStartEvent):
            return Mapping(place)
        assert isinstance(event, yaml.ScalarEvent)
        is_plain = bool(event.implicit[0])
        text = restored(event.value)
        if is_plain and not text:
            self._look_for_comment(place)
        return Scalar(place, text, scalar_value(text) if is_plain else text, is_quoted=not is_plain)

    def _look_for_comment(self, place: Place) -> None:
        """An empty value followed by a comment that reads like a reference is a forgotten quote."""
        lines = self.repaired.lines
        start = max(0, place.column - 2)
        found = reference_in_comment(lines[place.line][start : place.column + WINDOW])
        if found and not lines[place.line][place.column : start + found[0]].strip(" \t-:,[{?"):
            self.found_comments.append((place.line, start + found[0], found[1]))
            return
        if lines[place.line][place.column : place.column + WINDOW].strip(" \t:"):
            return
        indent = len(lines[place.line]) - len(lines[place.line].lstrip())
        for line in range(place.line + 1, len(lines)):
            source = lines[line]
            if source.strip():
                found = reference_in_comment(source[:WINDOW])
                if found and found[0] > indent and not source[: found[0]].strip():
                    self.found_comments.append((line, *found))
                return

    def _put(self, top: "_Open", node: Node) -> None:
        parent, waiting = top.node, top.waiting
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif not waiting:
            waiting.append(self._key(node))
        else:
            key = waiting.pop()
            first = top.keys.setdefault(key.text, key)
            if key.is_broken:
                return
            if first is not key:
                self.problems.add("E103", key.place, key=key.text, line=first.place.line + 1)
            elif key.text == "<<" and not key.is_quoted:
                self.problems.add("E104", key.place, name="<<")
            else:
                parent.entries.append((key, node))

    def _key(self, node: Node) -> Scalar:
        if isinstance(node, Scalar):
            return node
        self.problems.add("E100.key", node.place)
        return Scalar(node.place, "", None, is_broken=True)
