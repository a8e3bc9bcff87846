"""Deletes objects that something let go and that nothing names any more."""

from backend.stores.mongo.object_use_store import ObjectUseStore
from backend.stores.object_store import ObjectStore


class ObjectSweep:
    """Only objects that were let go (`release`) are looked at: what nobody ever named is not searched for.

    An object that somebody put within the last `grace_s` stays until later: who put it may be about to name it.
    """

    def __init__(self, uses: ObjectUseStore, objects: ObjectStore, grace_s: float) -> None:
        self._uses = uses
        self._objects = objects
        self._grace_s = grace_s

    def sweep(self) -> int:
        """One pass over all released objects; how many were deleted."""
        count, last = 0, ""
        while batch := self._uses.released(after=last):
            count += self._sweep(batch)
            last = batch[-1]
        return count

    def _sweep(self, batch: list[str]) -> int:
        used = self._uses.used(batch)
        self._uses.forget([sha256 for sha256 in batch if sha256 in used])
        unused = [sha256 for sha256 in batch if sha256 not in used]
        aside = [sha256 for sha256 in unused if self._objects.set_aside(sha256, self._grace_s)]
        # Asked again now that they are hidden: from here on nobody can come to name one without writing it anew.
        used = self._uses.used(aside) if aside else set()
        for sha256 in aside:
            if sha256 in used:
                self._objects.take_back(sha256)
            else:
                self._objects.remove_aside(sha256)
        gone = [sha256 for sha256 in unused if sha256 in aside or not self._objects.exists(sha256)]
        self._uses.forget(gone)
        return len(set(aside) - used)
