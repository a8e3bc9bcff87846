"""Turns an uploaded zip of code into stored objects, with what its params file and solution.json say."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from backend.contracts.parameters import ParameterSchema
from backend.contracts.projects import Code, CodeFile, Weights
from backend.domain.archive_rules import CODE_NOISE, ArchiveLimits
from backend.domain.code_tree import check_has_script, manifest_bytes
from backend.domain.errors import InvalidInputError
from backend.domain.parameter_file import FILE_NAMES, parse_parameter_file
from backend.domain.solution_manifest import FILE_NAME, MAX_BYTES, SolutionManifest, parse_manifest
from backend.services.archive_reader import ZipTree, open_zip
from backend.stores.object_store import ObjectStore


@dataclass(frozen=True)
class ImportedCode:
    """A checked upload. `parameters` is None when no params file is there, `manifest` when no solution.json is."""

    code: Code
    parameters: ParameterSchema | None
    manifest: SolutionManifest | None
    weights: tuple[Weights, ...] = ()


class CodeImporter:
    """Stores code by content. An upload is checked whole before the caller changes any project."""

    def __init__(self, objects: ObjectStore, limits: ArchiveLimits, weights_limits: ArchiveLimits) -> None:
        self._objects = objects
        self._limits = limits
        self._weights_limits = weights_limits

    @property
    def max_bytes(self) -> int:
        """Largest size of a code tree, bytes."""
        return self._limits.max_bytes

    def import_archive(self, archive: Path) -> ImportedCode:
        """Read a zip. Raises InvalidInputError or TooLargeError; solution.json and the weights it names are no code."""
        with open_zip(archive, self._limits, CODE_NOISE, left_out=_weights_in) as tree:
            manifest = _manifest_in(tree)
            check_has_script(tree.paths)
            parameters = self._parameters(tree)
            files = [
                CodeFile(path=path, size_bytes=tree.size_bytes(path), sha256=self._objects.put_bytes(content))
                for path in sorted(tree.paths)
                if path != FILE_NAME
                for content in [tree.read(path, self._limits.max_bytes)]
            ]
        weights = () if manifest is None else self._weights(archive, manifest)
        return ImportedCode(self.stored_code(files), parameters, manifest, weights)

    def _weights(self, archive: Path, manifest: SolutionManifest) -> tuple[Weights, ...]:
        """Store the weights that an exported solution brings. Raises InvalidInputError when their bytes differ."""
        named = {weights.path: weights for weights in manifest.weights}

        def others(tree: ZipTree) -> Collection[str]:
            return [path for path in tree.paths if path not in named]

        stored = []
        with open_zip(archive, self._weights_limits, CODE_NOISE, left_out=others) as tree:
            for path in sorted(tree.paths):
                with self._objects.scratch_file() as scratch:
                    tree.copy(path, scratch)
                    scratch.flush()
                    sha256 = self._objects.put_file(Path(scratch.name))
                if sha256 != named[path].sha256:
                    raise InvalidInputError("weights_differ", path=path)
                stored.append(named[path].model_copy(update={"size_bytes": tree.size_bytes(path)}))
        order = [weights.path for weights in manifest.weights]
        return tuple(sorted(stored, key=lambda weights: order.index(weights.path)))

    def stored_code(self, files: Collection[CodeFile]) -> Code:
        """The code of these files; its manifest is kept as an object, so that its hash alone rebuilds the tree."""
        if not files:
            return Code()
        ordered = tuple(sorted(files, key=lambda file: file.path))
        return Code(sha256=self._objects.put_bytes(manifest_bytes(ordered)), files=ordered)

    def store_file(self, path: str, content: Path) -> CodeFile:
        """Store one file."""
        return CodeFile(path=path, size_bytes=content.stat().st_size, sha256=self._objects.put_file(content))

    @staticmethod
    def _parameters(tree: ZipTree) -> ParameterSchema | None:
        found = [name for name in FILE_NAMES if name in tree.paths]
        if len(found) > 1:
            raise InvalidInputError("parameter_files_two", first=found[0], second=found[1])
        return parse_parameter_file(tree.read(found[0], MAX_BYTES), found[0]) if found else None


def _manifest_in(tree: ZipTree) -> SolutionManifest | None:
    return parse_manifest(tree.read(FILE_NAME, MAX_BYTES)) if FILE_NAME in tree.paths else None


def _weights_in(tree: ZipTree) -> Collection[str]:
    manifest = _manifest_in(tree)
    return frozenset() if manifest is None else {weights.path for weights in manifest.weights}
