"""What is known of a value before anything runs: its type, its attributes, its signature. Unknown fits anything."""

import ast
import inspect
import linecache
import types
import typing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from atp.registry import Sockets, sockets_of


class _Missing:
    pass


MISSING = _Missing()


@dataclass(frozen=True)
class Fact:
    """Facts of one value. `thing` is the object itself if it is known; `cls` its type if that is known.

    `owner` is set for a function found on a class: calling it drops the first parameter.
    """

    thing: Any = MISSING
    cls: type | None = None
    owner: type | None = None
    inner: Any = None  # an Instance or a Stage of the language
    arity: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything is known."""
        return self.thing is not MISSING or self.cls is not None or self.inner is not None

    @property
    def label(self) -> str:
        """A short name for messages."""
        if self.thing is not MISSING and hasattr(self.thing, "__name__"):
            return str(self.thing.__name__)
        return self.cls.__name__ if self.cls else "?"


UNKNOWN = Fact()


def fact_of_thing(thing: object) -> Fact:
    """Facts of an object that is there."""
    return Fact(thing=thing, cls=type(thing))


def attribute(fact: Fact, name: str) -> Fact | None:
    """Facts of an attribute. None if it surely is not there."""
    if fact.thing is not MISSING and not _is_live_instance(fact.thing):
        try:
            return fact_of_thing(getattr(fact.thing, name))
        except AttributeError:
            return None
        except Exception:  # noqa: BLE001 - a property of the user's class may do anything
            return UNKNOWN
    if fact.thing is not MISSING:
        return _live_attribute(fact.thing, name)
    if fact.cls is None:
        return UNKNOWN
    return _class_attribute(fact.cls, name)


def _is_live_instance(thing: object) -> bool:
    return not isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType)


def _live_attribute(thing: object, name: str) -> Fact | None:
    try:
        found = getattr(thing, name)
    except AttributeError:
        return None
    except Exception:  # noqa: BLE001 - a property of the user's class may do anything
        return UNKNOWN
    # A function put on an object in place of its method, as schedulers of torch do, shows the `self` of the method.
    is_in_place_of_a_method = isinstance(found, types.FunctionType) and hasattr(found, "__wrapped__")
    return UNKNOWN if is_in_place_of_a_method else fact_of_thing(found)


def _class_attribute(cls: type, name: str) -> Fact | None:
    try:
        found = inspect.getattr_static(cls, name)
    except AttributeError:
        return UNKNOWN if name in instance_names(cls) or is_open(cls) else None
    if isinstance(found, types.FunctionType | types.MethodDescriptorType | types.WrapperDescriptorType):
        return Fact(thing=found, cls=type(found), owner=cls)
    if isinstance(found, classmethod | staticmethod):
        return fact_of_thing(getattr(cls, name))
    if isinstance(found, property) and found.fget:
        return Fact(cls=_return_class(found.fget))
    return UNKNOWN


def attribute_names(fact: Fact) -> list[str]:
    """Names to suggest."""
    if fact.thing is not MISSING:
        return dir(fact.thing)
    return [*dir(fact.cls), *(instance_names(fact.cls) - {"*"})] if fact.cls else []


@lru_cache(maxsize=4096)
def instance_names(cls: type) -> frozenset[str]:
    """Names that the code of a class gives to its objects."""
    names: set[str] = set()
    for base in cls.__mro__:
        names |= set(getattr(base, "__annotations__", {}))
        names |= _assigned_names(base)
    return frozenset(names)


@lru_cache(maxsize=4096)
def is_open(cls: type) -> bool:
    """Whether objects of a class may have any attribute: `__getattr__`, `setattr`, or code that cannot be read."""
    for base in cls.__mro__[:-1]:
        is_torch_module = base.__module__ == "torch.nn.modules.module"
        if "__getattr__" in vars(base) and not is_torch_module:
            return True
        if "__getattribute__" in vars(base):
            return True
        if not is_torch_module and "*" in _assigned_names(base):
            return True
    return False


@lru_cache(maxsize=4096)
def _assigned_names(cls: type) -> frozenset[str]:
    """`self.x = …` and registered names in the source of one class; `*` if there may be others."""
    if cls.__module__ == "builtins" or "__slots__" in vars(cls):
        return frozenset(vars(cls).get("__slots__", ()))
    definition = _class_definition(cls)
    if definition is None:
        has_dict = "__dict__" in dir(cls)
        return frozenset("*") if has_dict else frozenset()
    names: set[str] = set()
    # What gives an unpickled object its attributes back gives it no others: left out.
    parts = [part for part in definition.body if getattr(part, "name", "") != "__setstate__"]
    for node in (node for part in parts for node in ast.walk(part)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            names.add("*" if node.attr == "__dict__" else node.attr)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == "__setattr__" or (called == "update" and "vars" in ast.dump(node.func)):
                names.add("*")
            elif called in ("setattr", "register_buffer", "register_parameter", "add_module", "register_module"):
                constant = next((arg for arg in node.args[:2] if isinstance(arg, ast.Constant)), None)
                names.add(str(constant.value) if constant else "*")
            elif called == "update" and "__dict__" in ast.dump(node.func):
                names.add("*")
    return frozenset(names)


def _class_definition(cls: type) -> ast.ClassDef | None:
    try:
        file = inspect.getsourcefile(cls)
    except (TypeError, OSError):
        return None
    return _definitions(file).get(cls.__qualname__) if file else None


@lru_cache(maxsize=256)
def _definitions(file: str) -> dict[str, ast.ClassDef]:
    found: dict[str, ast.ClassDef] = {}
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return found
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                found[prefix + child.name] = child
                waiting.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                waiting.append((f"{prefix}{child.name}.<locals>.", child))
            elif isinstance(child, ast.If | ast.Try | ast.With):
                waiting.append((prefix, child))
    return found


def call_target(fact: Fact) -> Any:
    """The function that a call runs; None if it is unknown, MISSING if the value surely cannot be called."""
    if fact.thing is not MISSING:
        if not callable(fact.thing):
            return MISSING
        if _is_live_instance(fact.thing) and not isinstance(fact.thing, types.MethodType):
            return _instance_call(type(fact.thing)) if not _is_plain_callable(fact.thing) else fact.thing
        return fact.thing
    return _instance_call(fact.cls) if fact.cls else None


def _is_plain_callable(thing: object) -> bool:
    return isinstance(thing, types.MethodDescriptorType | types.WrapperDescriptorType | types.MethodWrapperType)


def _instance_call(cls: type) -> Any:
    """The method behind calling an object: `forward` for a module of torch."""
    try:
        found = inspect.getattr_static(cls, "__call__")
    except AttributeError:
        return MISSING
    if getattr(found, "__module__", "") == "torch.nn.modules.module":
        found = inspect.getattr_static(cls, "forward", None)
        if getattr(found, "__name__", "") == "_forward_unimplemented":
            return None
    return found


@lru_cache(maxsize=4096)
def _signature_of(target: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(target)
    except (TypeError, ValueError):
        return None


def signature(fact: Fact) -> inspect.Signature | None:
    """The parameters that a call takes, without `self`. None if they are unknown."""
    target = call_target(fact)
    if target is None or target is MISSING:
        return None
    try:
        found = _signature_of(target)
    except TypeError:  # not hashable
        return None
    is_method = fact.owner is not None or target is not fact.thing
    if found is None or not is_method or not isinstance(target, types.FunctionType):
        return found if not is_method or isinstance(target, types.FunctionType) else None
    parameters = list(found.parameters.values())
    if parameters and parameters[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        parameters = parameters[1:]
    return found.replace(parameters=parameters)


def result(fact: Fact) -> Fact:
    """Facts of what a call gives."""
    if isinstance(fact.thing, type) and fact.owner is None:
        return Fact(cls=fact.thing) if fact.label != "__class_getitem__" else UNKNOWN
    target = call_target(fact)
    if target is None or target is MISSING or _gives_context(target):
        return UNKNOWN
    annotation = return_annotation(target)
    if annotation is typing.Self:
        holder = getattr(target, "__self__", None)
        return Fact(cls=fact.owner or (type(holder) if holder is not None else None))
    origin = typing.get_origin(annotation)
    if origin is tuple:
        items = typing.get_args(annotation)
        arity = len(items) if items and Ellipsis not in items else None
        return Fact(cls=tuple, arity=arity)
    return Fact(cls=annotation) if _is_plain_class(annotation) else UNKNOWN


def _gives_context(target: Any) -> bool:
    """Whether a function is a generator made a context manager: its annotation is that of the generator."""
    return hasattr(target, "__wrapped__") and inspect.isgeneratorfunction(inspect.unwrap(target))


def return_annotation(target: Any) -> Any:
    """The resolved annotation of a result, also where only overloads have one and agree; None if there is none."""
    found = annotations(target).get("return")
    if found is not None or not isinstance(target, types.FunctionType | types.MethodType):
        return found
    overloads = [annotations(one).get("return") for one in typing.get_overloads(target)]
    return overloads[0] if overloads and all(one == overloads[0] for one in overloads) else None


@lru_cache(maxsize=4096)
def _annotations_of(target: Any) -> dict[str, Any]:
    function = inspect.getattr_static(target, "__init__") if isinstance(target, type) else target
    try:
        return typing.get_type_hints(inspect.unwrap(function))
    except Exception:  # noqa: BLE001 - annotations are code of a library and may fail in any way
        return {}


def annotations(target: Any) -> dict[str, Any]:
    """Resolved annotations of a function, or of the constructor of a class."""
    try:
        return _annotations_of(target)
    except TypeError:
        return {}


def _return_class(function: Any) -> type | None:
    found = annotations(function).get("return")
    return found if _is_plain_class(found) else None


def _is_plain_class(annotation: Any) -> bool:
    return (
        isinstance(annotation, type)
        and annotation not in (object, type(None), Any)
        and not hasattr(annotation, "__origin__")
    )


def sockets(fact: Fact) -> Sockets | None:
    """Declared sockets of a template or of an object made by one."""
    if fact.thing is not MISSING and isinstance(fact.thing, type):
        return sockets_of(fact.thing)
    return sockets_of(fact.cls) if fact.cls else None


def has_special(fact: Fact, *names: str) -> bool:
    """Whether a value has one of the special methods; True if nothing is known."""
    cls = fact.cls
    if cls is None:
        return True
    return any(hasattr(cls, name) for name in names)


def fits(given: type, declared: Any) -> bool:
    """Whether a value of one type may go where another one is declared. Doubt fits."""
    if isinstance(declared, types.UnionType) or typing.get_origin(declared) is typing.Union:
        return any(fits(given, part) for part in typing.get_args(declared))
    if typing.get_origin(declared) is typing.Literal:
        return True
    if not isinstance(declared, type) or declared is object or getattr(declared, "_is_protocol", False):
        return True
    if declared in (float, complex):
        return hasattr(given, "__float__") or hasattr(given, "__index__")
    if declared in (int, bool):
        return hasattr(given, "__index__") or hasattr(given, "__int__")
    try:
        return issubclass(given, declared) or (issubclass(declared, given) and given is not object)
    except TypeError:
        return True


def constant_fits(value: object, declared: Any) -> bool:
    """Whether a constant of the file may be passed where a type is declared. Doubt fits."""
    if value is None:
        return True
    if isinstance(declared, types.UnionType) or typing.get_origin(declared) is typing.Union:
        return any(constant_fits(value, part) for part in typing.get_args(declared))
    if typing.get_origin(declared) is typing.Literal:
        return value in typing.get_args(declared)
    origin = typing.get_origin(declared)
    if origin in (list, tuple, dict, set):
        return not isinstance(value, bool | int | float | str)
    if declared not in (int, float, str, bool, list, tuple, dict):
        return True
    if declared is float:
        return isinstance(value, int | float)
    if declared is int:
        return isinstance(value, int)
    if declared in (list, tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, declared)


def declared_name(declared: Any) -> str:
    """A type as a reader would write it."""
    return declared.__name__ if isinstance(declared, type) else str(declared).replace("typing.", "")
