"""Everything a user can ask about projects: create, upload and edit code, choose launch files, declare parameters."""

import shlex
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.contracts.parameters import ParameterSchema
from backend.contracts.projects import Code, FileText, Project, ProjectCreate, ProjectUpdate, Solution
from backend.domain.archive_rules import safe_path
from backend.domain.code_tree import (
    check_launch_file,
    chosen_launch_file,
    file_at,
    with_file,
    without_file,
)
from backend.domain.errors import ConflictError, InvalidInputError, TooLargeError
from backend.domain.names import checked_name
from backend.domain.parameter_file import FILE_NAMES, parse_parameter_file
from backend.domain.parameter_schema import check_schema, completed_parameter
from backend.services.code_import import CodeImporter, ImportedCode
from backend.stores.mongo.project_store import ProjectStore
from backend.stores.object_store import ObjectStore

TEXT_LIMIT = 256 * 1024
PARAMETER_FILE_LIMIT = 1 << 20
MAX_DESCRIPTION = 20_000
MAX_ARGUMENTS = 4000
MAX_DEVICE = 50
CHANGE_ATTEMPTS = 10
CONVENTION = {"train_file": "train.py", "test_file": "test.py"}


class ProjectService:
    """Working copies. A change is checked whole, then written by compare-and-set."""

    def __init__(
        self,
        projects: ProjectStore,
        code: CodeImporter,
        objects: ObjectStore,
        has_unfinished_runs: Callable[[str], bool],
        remove_data: Callable[[str], None],
        new_id: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._projects = projects
        self._code = code
        self._objects = objects
        self._has_unfinished_runs = has_unfinished_runs
        self._remove_data = remove_data
        self._new_id = new_id
        self._now = now

    def projects(self) -> list[Project]:
        """All projects, the last changed first."""
        return self._projects.projects()

    def project(self, project_id: str) -> Project:
        """One project. Raises NotFoundError."""
        return self._projects.get(project_id)[0]

    def create(self, create: ProjectCreate) -> Project:
        """A new, empty project."""
        now = self._now()
        project = Project(
            id=self._new_id(),
            name=checked_name(create.name),
            description=checked_text("description", create.description, MAX_DESCRIPTION),
            created_at=now,
            updated_at=now,
        )
        self._projects.insert(project)
        return project

    def update(self, project_id: str, update: ProjectUpdate) -> Project:
        """Change the fields that are given. Raises InvalidInputError naming the field or parameter at fault."""
        fields = {name: getattr(update, name) for name in update.model_fields_set if getattr(update, name) is not None}
        return self._change(project_id, lambda project: _checked_fields(project.code, fields))

    def delete(self, project_id: str) -> None:
        """Delete a project with what its scripts keep; its runs and solutions keep the code that they name.

        Raises NotFoundError, or ConflictError('project_in_use') while one of its runs is not finished.
        """
        if self._has_unfinished_runs(project_id):
            raise ConflictError("project_in_use", id=project_id)
        # The project last: where this fails half-way, deleting can be tried again.
        self._projects.get(project_id)
        self._remove_data(project_id)
        self._projects.remove(project_id)

    def replace_code(self, project_id: str, archive: Path) -> Project:
        """Replace the code by a zip; its params file and solution.json fill parameters and launch files.

        Raises InvalidInputError or TooLargeError; then the project is as it was.
        """
        self.project(project_id)
        imported = self._code.import_archive(archive)
        return self._change(project_id, lambda project: _fields_from_code(project, imported))

    def put_file(self, project_id: str, path: str, content: Path) -> Project:
        """Add or replace one file; a params file at the root also replaces the parameters."""
        path = safe_path(path)
        if content.stat().st_size > self._code.max_bytes:
            raise TooLargeError("file_too_large", path=path, limit_mb=self._code.max_bytes >> 20)
        self.project(project_id)
        fields: dict[str, Any] = {}
        if path in FILE_NAMES:
            if content.stat().st_size > PARAMETER_FILE_LIMIT:
                raise TooLargeError("file_too_large", path=path, limit_mb=PARAMETER_FILE_LIMIT >> 20)
            fields["parameters"] = parse_parameter_file(content.read_bytes(), path)
        file = self._code.store_file(path, content)

        def change(project: Project) -> dict[str, Any]:
            if path in FILE_NAMES and any(f.path in FILE_NAMES and f.path != path for f in project.code.files):
                other = next(f.path for f in project.code.files if f.path in FILE_NAMES and f.path != path)
                raise InvalidInputError("parameter_files_two", first=other, second=path)
            code = self._code.stored_code(with_file(project.code, file, self._code.max_bytes))
            return {**fields, "code": code, **_launch_files(project, code)}

        return self._change(project_id, change)

    def remove_file(self, project_id: str, path: str) -> Project:
        """Remove one file; a launch file that is removed is no longer chosen. Raises NotFoundError."""

        def change(project: Project) -> dict[str, Any]:
            code = self._code.stored_code(without_file(project.code, path))
            return {"code": code, **_launch_files(project, code)}

        return self._change(project_id, change)

    def file_text(self, project_id: str, path: str) -> FileText:
        """A file as text, at most its first 256 KiB. Raises NotFoundError."""
        file = file_at(self.project(project_id).code, path)
        with self._objects.open(file.sha256) as stored:
            content = stored.read(TEXT_LIMIT)
        is_truncated = file.size_bytes > TEXT_LIMIT
        text = _decoded(content, is_truncated)
        return FileText(path=path, text=text or "", is_truncated=is_truncated, is_binary=text is None)

    def open_solution(self, solution: Solution) -> Project:
        """A new project with the code and settings of a solution."""
        now = self._now()
        project = Project(
            id=self._new_id(),
            name=solution.name,
            description=solution.description,
            code=solution.code,
            train_file=solution.train_file,
            test_file=solution.test_file,
            arguments=solution.arguments,
            device=solution.device,
            network=solution.network,
            parameters=solution.parameters,
            weights=solution.weights,
            created_at=now,
            updated_at=now,
        )
        self._projects.insert(project)
        return project

    def _change(self, project_id: str, fields_of: Callable[[Project], dict[str, Any]]) -> Project:
        for _ in range(CHANGE_ATTEMPTS):
            project, change = self._projects.get(project_id)
            changed = project.model_copy(update={**fields_of(project), "updated_at": self._now()})
            if self._projects.replace(changed, change):
                return changed
        raise ConflictError("project_busy", id=project_id)


def checked_text(field: str, text: str, limit: int) -> str:
    """Free text of a form. Raises InvalidInputError: too long, or with NUL bytes."""
    if len(text) > limit or "\x00" in text:
        raise InvalidInputError("text_too_long", field=field, limit=limit)
    return text


def checked_arguments(arguments: str) -> str:
    """Command line arguments. Raises InvalidInputError when quotes do not close."""
    checked_text("arguments", arguments, MAX_ARGUMENTS)
    try:
        shlex.split(arguments)
    except ValueError:
        raise InvalidInputError("arguments_unbalanced", arguments=arguments[:200]) from None
    return arguments.strip()


def checked_device(device: str) -> str:
    """A device name like `cpu` or `cuda:0`; whether a worker has it is known only when a run starts."""
    stripped = device.strip()
    if not stripped or len(stripped) > MAX_DEVICE or not stripped.isprintable():
        raise InvalidInputError("device_invalid", device=ascii(device[:MAX_DEVICE])[1:-1])
    return stripped


def _checked_fields(code: Code, fields: dict[str, Any]) -> dict[str, Any]:
    checked = dict(fields)
    for field, value in fields.items():
        if field in CONVENTION:
            if value:
                check_launch_file(code, value)
        elif field == "parameters":
            check_schema(value)
            checked[field] = ParameterSchema(
                train=tuple(completed_parameter(p) for p in value.train),
                test=tuple(completed_parameter(p) for p in value.test),
            )
        elif field == "name":
            checked[field] = checked_name(value)
        elif field == "arguments":
            checked[field] = checked_arguments(value)
        elif field == "device":
            checked[field] = checked_device(value)
        elif field != "network":
            checked[field] = checked_text(field, value, MAX_DESCRIPTION)
    return checked


def _fields_from_code(project: Project, imported: ImportedCode) -> dict[str, Any]:
    code, manifest = imported.code, imported.manifest
    fields: dict[str, Any] = {"code": code}
    if manifest is None:
        fields.update(_launch_files(project, code))
    else:
        for field in CONVENTION:
            path = getattr(manifest, field)
            if path:
                check_launch_file(code, path)
            fields[field] = path
        fields["arguments"] = checked_arguments(manifest.arguments)
        fields["device"] = checked_device(manifest.device)
        fields["description"] = checked_text("description", manifest.description, MAX_DESCRIPTION)
        fields["network"] = manifest.network
        fields["parameters"] = manifest.parameters
        fields["weights"] = imported.weights
        return fields
    if imported.parameters is not None:
        fields["parameters"] = imported.parameters
    return fields


def _launch_files(project: Project, code: Code) -> dict[str, Any]:
    return {
        field: chosen_launch_file(code, getattr(project, field), convention) for field, convention in CONVENTION.items()
    }


def _decoded(content: bytes, is_cut: bool) -> str | None:
    """The text, or None for bytes that are no UTF-8; a character that the limit cut in two is dropped."""
    if b"\x00" in content:
        return None
    for cut in range(4 if is_cut else 1):
        try:
            return content[: len(content) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return None
