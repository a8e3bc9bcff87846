"""Reads the environment. Nothing else in the backend does."""

from pathlib import Path
from typing import Literal

from pydantic import Field, computed_field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting of the backend; each is the environment variable of its name in capitals with `ARM_` before it."""

    model_config = SettingsConfigDict(env_prefix="ARM_", frozen=True)

    home: Path = Field(default=Path("~/.arm"), description="the one data folder")
    mongo_url: str | None = Field(default=None, description="MongoDB to use instead of the embedded one")
    redis_url: str | None = Field(default=None, description="Redis to use instead of the embedded one")
    objects_url: str | None = Field(default=None, description="where files live: a folder or s3://bucket/prefix")
    database: str = Field(default="arm", description="name of the MongoDB database")
    api_host: str = Field(default="127.0.0.1", description="address the REST API listens on")
    api_port: int = Field(default=8600, description="port of the REST API")
    api_url: str | None = Field(default=None, description="where a worker finds the REST API, with its /api")
    ui_port: int = Field(default=8500, description="port of the pages")
    api_token: str = Field(default="", description="the installation's token; `arm up` makes one")

    archive_max_mb: int = Field(default=8192, description="largest unpacked size of an uploaded dataset, MB")
    code_max_mb: int = Field(default=256, description="largest unpacked size of an uploaded solution, MB")
    archive_max_files: int = Field(default=500_000, description="most files in an uploaded archive")
    archive_max_ratio: int = Field(
        default=200, description="largest unpacked : packed size of an archive and of its files"
    )
    image_max_megapixels: int = Field(default=200, description="largest image, megapixels")
    artifact_max_mb: int = Field(default=16_384, description="largest file a run may hand over, MB")

    project_documents: int = Field(default=100_000, ge=1, description="most documents that scripts keep in a project")
    project_documents_mb: int = Field(default=256, ge=1, description="their total size, MB")
    project_keys: int = Field(default=10_000, ge=1, description="most keys that scripts keep in a project")
    project_keys_mb: int = Field(default=64, ge=1, description="their total size, MB")
    project_files: int = Field(default=10_000, ge=1, description="most files that scripts keep in a project")
    project_files_mb: int = Field(default=10_240, ge=1, description="their total size, MB")

    lease_s: float = Field(default=30, description="a run whose agent was silent for so long is lost, s")
    stop_grace_s: float = Field(default=10, description="between SIGTERM and SIGKILL, s")
    log_max_mb: int = Field(
        default=1024, ge=1, description="most of a run's stdout, and of its stderr, that is kept, MB"
    )
    cpu_slots: int = Field(default=1, ge=1, description="runs that a worker computes on its CPU at a time")
    isolation: Literal["auto", "bubblewrap", "process"] = Field(
        default="auto", description="how scripts are kept apart: auto is bubblewrap where it works; both are demands"
    )
    allow_network: bool = Field(default=False, description="whether runs that ask for the network get it")

    keep_run_folders_days: float = Field(
        default=30, ge=0, description="a worker removes the folder of a run so long after its end, days"
    )
    cache_max_gb: float = Field(default=50, ge=0, description="a worker keeps so much of images and weights, GB")
    sweep_s: float = Field(default=60, gt=0, description="a worker cleans its disk so often, s")
    object_grace_s: float = Field(
        default=3600, ge=0, description="a stored file that nothing names stays so long after its last upload, s"
    )

    pipeline_check_s: float = Field(
        default=120, gt=0, description="a check of a pipeline that imports torch and the project's code ends after, s"
    )
    pipeline_warm_s: float = Field(
        default=600, ge=0, description="the process that checks pipelines stays ready so long after its last use, s"
    )
    pipeline_check_memory_mb: int = Field(default=6144, ge=256, description="memory that such a check may use, MB")

    worker_name: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9._-]{1,64}$", description="name of a worker; the machine's where not given"
    )
    worker_labels: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9._-]{1,64}(,[A-Za-z0-9._-]{1,64})*)?$",
        description="labels of a worker that runs may ask for, e.g. gpu,lab2",
    )

    ray_url: str | None = Field(default=None, description="dashboard of a Ray cluster, for `arm worker --cluster ray`")
    ray_token: str = Field(default="", description="token of that cluster (RAY_AUTH_TOKEN of its nodes)")
    agent_api_url: str | None = Field(
        default=None,
        description="the REST API as nodes of the cluster reach it, with its /api; api_url where not given",
    )
    cluster_cpu_slots: int = Field(default=1, ge=0, description="runs without a card that the cluster gets at a time")
    cluster_run_cpus: float = Field(default=1, gt=0, description="CPUs that the cluster reserves per process of a run")
    cluster_python: str = Field(default="python", description="interpreter on the nodes")
    cluster_home: str = Field(default="~/.arm-node", description="data folder on the nodes, on a disk of their own")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def home_dir(self) -> Path:
        """`home` with `~` resolved."""
        return self.home.expanduser().resolve()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def objects_location(self) -> str:
        """Where objects live: `objects_url`, or `objects/` in the data folder."""
        return self.objects_url or str(self.home_dir / "objects")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def worker_api_url(self) -> str:
        """Base address of the REST API as a worker reaches it: the one that is given, else that of this machine."""
        return (self.api_url or f"http://{self.api_host}:{self.api_port}/api").rstrip("/")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def node_api_url(self) -> str:
        """Base address of the REST API as nodes of a cluster reach it."""
        return (self.agent_api_url or self.worker_api_url).rstrip("/")
