"""What the SDK raises: mistakes in a call or in the inputs. A full disk or a slow network is never one of them."""


class PlatformError(Exception):
    """The base of everything that PlatformAPI raises."""


class WrongArgumentError(PlatformError, ValueError):
    """A call got a value it cannot take; the text names the graph, metric or image and the value."""


class RunFolderError(PlatformError):
    """The run folder, the parameter file or the local data is incomplete or malformed; the text names the file."""
