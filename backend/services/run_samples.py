"""Which elements of which dataset a run was given: looked up by image name and by hash."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Protocol

from backend.contracts.datasets import SampleEntry, Split
from backend.contracts.runs import Sample
from backend.domain.errors import NotFoundError
from backend.stores.mongo.result_store import KnownImage
from backend.stores.mongo.run_store import RunStore

KEPT_SAMPLES = 12
ROLE_ORDER: tuple[Split, ...] = ("test", "val", "train")


class SampleSource(Protocol):
    """Where samples come from."""

    def sample_entries(self, dataset_id: str, version: int, split: Split) -> Iterator[SampleEntry]:
        """Elements of one split of a frozen version, in order. Raises NotFoundError."""
        ...


class RunSamples:
    """Frozen versions never change, so what was read once stays in memory for a while."""

    def __init__(self, runs: RunStore, datasets: SampleSource) -> None:
        self._runs = runs
        self._datasets = datasets
        self._names: Callable[[str, int, Split], dict[str, SampleEntry]] = lru_cache(KEPT_SAMPLES)(self._read_names)
        self._hashes: Callable[[str, int, Split], frozenset[str]] = lru_cache(KEPT_SAMPLES)(self._read_hashes)
        self._samples: Callable[[str], tuple[Sample, ...]] = lru_cache(256)(lambda run_id: runs.get(run_id).samples)

    def entries(self, run_id: str, role: Split) -> Iterator[SampleEntry]:
        """Elements that play `role` in a run, in order. Raises NotFoundError."""
        for sample in self._samples(run_id):
            if sample.role == role:
                return self._datasets.sample_entries(sample.dataset_id, sample.version, sample.split)
        raise NotFoundError("sample_not_found", run=run_id, role=role)

    def find(self, run_id: str, image_name: str) -> KnownImage | None:
        """The element with this image name; where several roles have one, that of test, then val, then train."""
        for sample in sorted(self._samples(run_id), key=lambda sample: ROLE_ORDER.index(sample.role)):
            entry = self._names(sample.dataset_id, sample.version, sample.split).get(image_name)
            if entry is not None:
                return KnownImage(sample.dataset_id, entry)
        return None

    def has_object(self, run_id: str, sha256: str) -> bool:
        """Whether an object is code, weights or an image of this run."""
        inputs = self._runs.inputs(run_id)
        if sha256 in inputs.code.values() or any(weights.sha256 == sha256 for weights in inputs.weights):
            return True
        return any(sha256 in self._hashes(s.dataset_id, s.version, s.split) for s in self._samples(run_id))

    def _read_names(self, dataset_id: str, version: int, split: Split) -> dict[str, SampleEntry]:
        return {entry.name: entry for entry in self._datasets.sample_entries(dataset_id, version, split)}

    def _read_hashes(self, dataset_id: str, version: int, split: Split) -> frozenset[str]:
        return frozenset(entry.image for entry in self._datasets.sample_entries(dataset_id, version, split))
