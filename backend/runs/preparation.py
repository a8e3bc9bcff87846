"""Fills a run folder with everything that the script needs, before the script starts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from backend.contracts.workers import RunSpec
from backend.runs.api_connection import AgentApi
from backend.runs.object_cache import ObjectCache
from backend.runs.run_folder import RunFolder

FETCHERS = 4


class PreparationStoppedError(Exception):
    """A stop was requested while the inputs were being fetched."""


def prepare(api: AgentApi, folder: RunFolder, cache: ObjectCache, should_stop: Callable[[], bool]) -> RunSpec:
    """Write code, weights, samples and run.json.

    Raises ApiRefusedError or ApiAwayError, BrokenObjectError, OSError (the disk), InvalidInputError (a path that leads
    out of the folder), PreparationStoppedError.
    """
    spec = api.spec()
    folder.make_empty()
    for path, sha256 in spec.code.items():
        cache.copy(sha256, folder.code_file(path))
    for path, sha256 in spec.weights.items():
        target = folder.weights_file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        cache.link(sha256, target)
    counts: dict[str, int] = {}
    for sample in spec.run.samples:
        entries = api.sample(sample.role).entries
        counts[sample.role] = len(entries)
        _link_images(folder, cache, {entry.image for entry in entries}, should_stop)
        folder.write_sample(sample.role, entries)
    folder.write_run_json(spec, counts)
    return spec


def _link_images(folder: RunFolder, cache: ObjectCache, hashes: set[str], should_stop: Callable[[], bool]) -> None:
    def link(sha256: str) -> None:
        if should_stop():
            raise PreparationStoppedError
        target = folder.objects_dir / sha256
        if not target.exists():  # The same image may be in two samples.
            cache.link(sha256, target)

    with ThreadPoolExecutor(FETCHERS) as pool:
        for _ in pool.map(link, sorted(hashes)):
            pass
