"""Checks what a user asks to run, and gathers what the run will need. Nothing is saved here."""

from collections.abc import Callable
from typing import Protocol

from backend.contracts.datasets import SPLITS, DatasetVersion, Split
from backend.contracts.parameters import Parameter, ParameterValues
from backend.contracts.pipelines import PIPELINE_SUFFIXES
from backend.contracts.projects import Project
from backend.contracts.reports import Artifact
from backend.contracts.runs import FINAL_STATES, Run, RunCreate, Sample
from backend.contracts.workers import Device
from backend.domain.errors import ConflictError, InvalidInputError
from backend.domain.parameter_schema import validate_values
from backend.services.project_service import checked_arguments
from backend.stores.mongo.artifact_store import ArtifactStore
from backend.stores.mongo.run_store import RunInputs, RunStore, WeightsFile

WEIGHT_KINDS = ("checkpoint", "pytorch", "onnx")
SEED_MAX = 2**32 - 1


class ProjectSource(Protocol):
    """What is asked of projects."""

    def project(self, project_id: str) -> Project:
        """One project. Raises NotFoundError."""
        ...


class DatasetSource(Protocol):
    """What is asked of datasets. Everything raises NotFoundError for an unknown dataset or version."""

    def classes(self, dataset_id: str) -> tuple[str, ...]:
        """Class names."""
        ...

    def version(self, dataset_id: str, number: int) -> DatasetVersion:
        """One frozen version."""
        ...

    def freeze(self, dataset_id: str, note: str = "") -> DatasetVersion:
        """A version of the present state."""
        ...


class PipelineSource(Protocol):
    """What is asked of pipelines."""

    def parameters_to_run(self, project: Project, path: str) -> tuple[Parameter, ...]:
        """The parameters of a pipeline file. Raises InvalidInputError when it is not there or has errors."""
        ...


class RunInputChecker:
    """Raises InvalidInputError, NotFoundError or ConflictError that name what is wrong."""

    def __init__(
        self,
        projects: ProjectSource,
        datasets: DatasetSource,
        runs: RunStore,
        artifacts: ArtifactStore,
        live_devices: Callable[[], list[Device]],
        pipelines: PipelineSource,
        allow_network: bool = False,
    ) -> None:
        self._projects = projects
        self._datasets = datasets
        self._runs = runs
        self._artifacts = artifacts
        self._live_devices = live_devices
        self._pipelines = pipelines
        self._allow_network = allow_network

    def project(self, request: RunCreate) -> tuple[Project, str]:
        """The project and its launch file for this kind of run."""
        project = self._projects.project(request.project_id)
        entry_file = _entry_file(project, request)
        if not entry_file:
            raise InvalidInputError("launch_file_missing", project=project.name, kind=request.kind)
        if entry_file not in {file.path for file in project.code.files}:
            raise InvalidInputError("launch_file_gone", project=project.name, file=entry_file)
        if request.seed is not None and not 0 <= request.seed <= SEED_MAX:
            raise InvalidInputError("seed_out_of_range", seed=request.seed, maximum=SEED_MAX)
        checked_arguments(request.arguments)
        return project, entry_file

    def params(self, project: Project, request: RunCreate) -> ParameterValues:
        """Values of all parameters, checked against the schema of the project, or of the pipeline file."""
        entry_file = _entry_file(project, request)
        if request.pipeline or entry_file.endswith(PIPELINE_SUFFIXES):
            return validate_values(self._pipelines.parameters_to_run(project, entry_file), request.params)
        schema = project.parameters.train if request.kind == "train" else project.parameters.test
        return validate_values(schema, request.params)

    def device(self, request: RunCreate) -> str:
        """The device, if somebody offers it. `cpu` may wait for a worker to come."""
        if request.device != "cpu":
            offered = sorted({device.name for device in self._live_devices()} | {"cpu"})
            if request.device not in offered:
                raise InvalidInputError("device_unknown", device=request.device[:80], offered=", ".join(offered))
        return request.device

    def network(self, project: Project, request: RunCreate) -> bool:
        """Whether the script asks for the network. Raises InvalidInputError when nobody gets it."""
        is_wanted = project.network if request.network is None else request.network
        if is_wanted and not self._allow_network:
            raise InvalidInputError("network_not_allowed")
        return is_wanted

    def weights(self, project: Project, request: RunCreate) -> tuple[WeightsFile, ...]:
        """Weights of the training run that the request names, the preferred file first; else those of the project."""
        if request.train_run_id is None:
            own = project.weights if request.project_weights else ()
            return tuple(WeightsFile(weights.path.partition("/")[2] or weights.path, weights.sha256) for weights in own)
        train_run = self._runs.get(request.train_run_id)
        if train_run.project_id != project.id or train_run.kind != "train":
            raise InvalidInputError("run_not_of_project", run=train_run.number, project=project.name)
        if train_run.state not in FINAL_STATES:
            raise ConflictError("train_run_not_final", run=train_run.number, state=train_run.state)
        found = [a for a in self._artifacts.artifacts(train_run.id) if a.kind in WEIGHT_KINDS]
        if not found:
            raise InvalidInputError("run_without_weights", run=train_run.number)
        return tuple(WeightsFile(a.path, a.sha256) for a in preferred_first(found))

    def train_params(self, request: RunCreate) -> ParameterValues:
        """For a test: the parameters with which its weights were trained; none where that is not known."""
        if request.kind != "test" or request.train_run_id is None:
            return {}
        return self._runs.get(request.train_run_id).params

    def samples(self, request: RunCreate) -> tuple[Sample, ...]:
        """The samples in the order train, val, test; freezes the dataset if no version is named. Called last."""
        if request.dataset_id is None:
            return ()
        version = (
            self._datasets.freeze(request.dataset_id)
            if request.dataset_version is None
            else self._datasets.version(request.dataset_id, request.dataset_version)
        )
        samples = [
            Sample(role=role, dataset_id=request.dataset_id, version=version.number, split=split)
            for role in SPLITS
            for split in [request.split_roles.get(role, role)]
            if self._has_images(version, split, is_asked_for=role in request.split_roles)
        ]
        needed: Split = "train" if request.kind == "train" else "test"
        if needed not in {sample.role for sample in samples}:
            raise InvalidInputError("split_empty", split=request.split_roles.get(needed, needed))
        return tuple(samples)

    def inputs(self, project: Project, request: RunCreate, weights: tuple[WeightsFile, ...]) -> RunInputs:
        """Code, weights and classes."""
        return RunInputs(
            code={file.path: file.sha256 for file in project.code.files},
            weights=weights,
            classes=() if request.dataset_id is None else self._datasets.classes(request.dataset_id),
        )

    def still_holds(self, run: Run) -> bool:
        """Ask again for what could vanish between the check and the saving of the run. Raises NotFoundError."""
        if run.train_run_id is not None:
            self._runs.get(run.train_run_id)
        return all(self._datasets.version(sample.dataset_id, sample.version) for sample in run.samples)

    @staticmethod
    def _has_images(version: DatasetVersion, split: Split, is_asked_for: bool) -> bool:
        has_images = split in version.splits and version.splits[split].images > 0
        if is_asked_for and not has_images:
            raise InvalidInputError("split_empty", split=split)
        return has_images


def _entry_file(project: Project, request: RunCreate) -> str:
    return request.pipeline or (project.train_file if request.kind == "train" else project.test_file)


def preferred_first(weights: list[Artifact]) -> list[Artifact]:
    """Those that their script called the best, then checkpoints and PyTorch files, then ONNX; newer before older."""
    return sorted(
        weights,
        key=lambda a: (a.info.get("best") is not True, a.kind == "onnx", -a.created_at.timestamp(), a.path),
    )
