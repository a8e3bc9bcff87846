"""What the SDK raises: mistakes in a call or in the inputs. A full disk or a slow network is never one of them."""


class PlatformError(Exception):
    """The base of everything that PlatformAPI raises."""


class WrongArgumentError(PlatformError, ValueError):
    """A call got a value it cannot take; the text names the graph, metric or image and the value."""


class RunFolderError(PlatformError):
    """The run folder, the parameter file or the local data is incomplete or malformed; the text names the file."""


class StoreError(PlatformError):
    """MongoAPI, RedisAPI or StorageAPI refused a call: a rule, a limit or a quota. The text says what to do.

    `code` names the reason for programs, e.g. "quota_files"; `params` are its particulars.
    """

    def __init__(self, code: str, message: str, params: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.params = params or {}


class StoreAwayError(StoreError):
    """The workstation did not answer for a minute, or its answer got lost: a change may then have been made."""
