"""Which objects a file may name. The list comes from trusted settings, never from the file itself.

This is not a sandbox: methods of allowed libraries can still touch files.
"""

import functools
import types
from dataclasses import dataclass

# A prefix allows everything below it that is not denied; the own code of a solution is allowed beside these.
DEFAULT_ALLOW = (
    "torch",
    "torchvision",
    "torchmetrics",
    "plat",
    "core",
    "atp.Checkpoint",
    "atp.Epochs",
    "atp.distributed",
    "atp.ddp",
    "atp.core",
    "atp.runtime",
    "PlatformAPI",
    "operator",
    "math",
    "copy.deepcopy",
    "functools.partial",
    "collections.OrderedDict",
    "contextlib.nullcontext",
)
# Ways back to free imports, to code from text, to shells, to unpickling. Checked on the real name of every object.
ALWAYS_DENIED = (
    "operator.attrgetter",
    "operator.methodcaller",
    "torch.load",
    "torch.serialization",
    "torch.hub",
    "torch.ops",
    "torch.classes",
    "torch.package",
    "torch.fx",
    "torch.jit",
    "torch.export",
    "torch.utils.cpp_extension",
    "torch.utils.model_zoo",
    "torch.utils.collect_env",
    "torch.utils.benchmark",
    "torch.utils.bottleneck",
    "torch.utils.hipify",
    "torch.utils.data.datapipes",
    "torch.utils.show_pickle",
    "torch.utils.model_dump",
    "torch.utils.throughput_benchmark",
    "torch.testing",
    "torch.multiprocessing",
    "torch.distributed.run",
    "torch.distributed.launch",
    "torch.distributed.launcher",
    "torch.distributed.elastic",
    "torch.distributed.rpc",
    "torch.distributed.checkpoint",
    "torch.distributed.nn.jit",
    "torch.cuda.CUDAPluggableAllocator",
    "torch.cuda.memory.CUDAPluggableAllocator",
    "torch.xpu.XPUPluggableAllocator",
    "torch.xpu.memory.XPUPluggableAllocator",
    "torch.utils.bundled_inputs",
    "torch.utils._pytree",
    "torchvision.datasets.lsun",
    "torch.library",
    "torch.compiler",
    "torchvision.datasets.utils",
    "atp.runtime.debugging",
    "atp.runtime.profiling",
)
SAFE_BUILTINS = frozenset(
    (
        *("abs", "all", "any", "bool", "bytes", "complex", "dict", "enumerate", "float", "frozenset", "int", "len"),
        *("list", "max", "min", "print", "range", "reversed", "round", "set", "slice", "sorted", "str", "sum"),
        *("tuple", "zip", "RuntimeError", "StopIteration", "ValueError"),
    )
)
_DATA_TYPES = (bool, int, float, complex, str, bytes, type(None), list, tuple, dict, set, frozenset, range)
_REAL_MODULES = {"_operator": "operator", "_functools": "functools", "_collections": "collections"}


@dataclass(frozen=True)
class AllowList:
    """Allowed names. `own` are the top names of the project's own modules."""

    entries: tuple[str, ...] = DEFAULT_ALLOW
    own: frozenset[str] = frozenset()

    def permits_name(self, name: str) -> bool:
        """Whether a dotted name, as written or as it really is, is allowed."""
        if name.partition(".")[0] in self.own:
            return True
        if self.has_exactly(name):
            return True
        if any(_is_under(name, denied) for denied in ALWAYS_DENIED):
            return False
        return any(_is_under(name, entry) for entry in self.entries)

    def has_exactly(self, name: str) -> bool:
        """Whether an entry is this very name: then it is allowed as written, wherever the object really comes from."""
        return name in self.entries and name not in ALWAYS_DENIED

    def leads_to_permitted(self, name: str) -> bool:
        """Whether a module is allowed itself or on the way to an allowed name."""
        return self.permits_name(name) or any(_is_under(entry, name) for entry in self.entries)

    def permits_object(self, found: object) -> bool:
        """Whether the object really is of an allowed module, whatever name led to it."""
        for _ in range(20):
            if isinstance(found, functools.partial):
                found = found.func
            elif isinstance(found, staticmethod | classmethod | types.MethodType):
                found = found.__func__
            else:
                return self._permits_plain(found)
        return False

    def _permits_plain(self, found: object) -> bool:
        if isinstance(found, types.ModuleType):
            return self.leads_to_permitted(found.__name__)
        if isinstance(found, type | types.FunctionType):
            return self._permits_real(found.__module__, found.__qualname__)
        if isinstance(found, types.BuiltinFunctionType | types.MethodWrapperType):
            owner = found.__self__
            if isinstance(owner, types.ModuleType):
                return self._permits_real(owner.__name__, found.__qualname__)
            holder = owner if isinstance(owner, type) else type(owner)
            return isinstance(owner, _DATA_TYPES) or self._permits_real(holder.__module__, holder.__qualname__)
        if isinstance(found, types.MethodDescriptorType | types.WrapperDescriptorType | types.GetSetDescriptorType):
            return self._permits_real(found.__objclass__.__module__, found.__objclass__.__qualname__)
        if isinstance(found, _DATA_TYPES):
            return True
        kind = type(found)
        return self._permits_real(kind.__module__, kind.__qualname__)

    def _permits_real(self, module: str | None, name: str) -> bool:
        real = _REAL_MODULES.get(module or "", module or "")
        if real == "builtins":
            return name in SAFE_BUILTINS
        return self.permits_name(f"{real}.{name}")


def _is_under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")
