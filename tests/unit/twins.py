"""A class twice, by the library and by us, and all that can be told of either."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pkgutil
import reprlib
from collections.abc import Callable, Iterator
from typing import Any

import sidecar
from sidecar import values

THEIRS: Any = dataclasses.dataclass
OURS: Any = values.dataclass
GENERATED_IN = {"<string>", values.__file__, reprlib.__file__, dataclasses.__file__}
# One function for all classes, which is not named after any.
SHARED = {"__repr__", "__setattr__", "__delattr__", "__getstate__", "__setstate__"}
FIELD_OPTIONS = ("default", "default_factory", "init", "repr", "hash", "compare", "kw_only")


def outcome(attempt: Callable[..., object], *args: Any, **words: Any) -> object:
    """What it gave, or what it raised with what words."""
    try:
        return attempt(*args, **words)
    except (TypeError, AttributeError, ValueError) as fault:
        return type(fault), str(fault)


def classes_of_the_package() -> Iterator[Any]:
    for module in pkgutil.walk_packages(sidecar.__path__, "sidecar."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            is_its_own = isinstance(value, type) and value.__module__ == module.name
            if is_its_own and dataclasses.is_dataclass(value):
                yield value


def is_generated(name: str, value: object) -> bool:
    if name.startswith("__dataclass") or name in ("__match_args__", "__slots__", "__replace__"):
        return True
    code = getattr(value, "__code__", None)
    return code is not None and code.co_filename in GENERATED_IN


def as_written(cls: Any) -> dict[str, Any]:
    """The body of a class before it was decorated; what it checks of its values is left out."""
    body = {
        name: value
        for name, value in vars(cls).items()
        if name not in cls.__dataclass_fields__ and not is_generated(name, value)
    }
    if cls.__hash__ is None:
        del body["__hash__"]
    if "__post_init__" in body:
        body["__post_init__"] = lambda _self: None
    for name, field in cls.__dataclass_fields__.items():
        options = {option: getattr(field, option) for option in FIELD_OPTIONS}
        body[name] = dataclasses.field(**options)
    return body


def twins(name: str, body: dict[str, Any], **options: bool) -> tuple[Any, Any]:
    """The class by the library and the class by us, or what each says instead."""

    def made(decorator: Any) -> Callable[[], object]:
        # A Field is changed by who reads it.
        parts = {
            key: copy.copy(value) if isinstance(value, dataclasses.Field) else value
            for key, value in body.items()
        }
        return lambda: decorator(**options)(type(name, (), parts))

    return outcome(made(THEIRS)), outcome(made(OURS))


def described(cls: Any) -> dict[str, object]:
    """What can be read of a class without an instance."""
    return {
        "functions": {
            name: value.__qualname__
            for name, value in vars(cls).items()
            if inspect.isfunction(value) and name not in SHARED
        },
        "signature": str(inspect.signature(cls)),
        "init": str(inspect.signature(cls.__init__)),
        "annotations": cls.__init__.__annotations__,
        "names": set(vars(cls)),
        "slots": cls.__slots__,
        "doc": cls.__doc__,
        "match": cls.__match_args__,
        "params": repr(cls.__dataclass_params__),
        "fields": [repr(field) for field in dataclasses.fields(cls)],
        "hashable": cls.__hash__ is not None,
    }


def filled(cls: Any) -> Any:
    """One with a number in each slot."""
    value = cls.__new__(cls)
    for at, name in enumerate(cls.__slots__):
        object.__setattr__(value, name, at)
    return value


def contents(value: Any) -> object:
    """What is in its fields, or of which type, where no two are equal."""
    if not dataclasses.is_dataclass(value):
        return value

    def told(held: object) -> object:
        return type(held) if type(held).__eq__ is object.__eq__ else held

    return [(f.name, told(getattr(value, f.name, "unset"))) for f in dataclasses.fields(value)]


def compared(one: object, other: object) -> object:
    return one == other, one != other, one.__eq__(other)


def behaved(cls: Any) -> dict[str, object]:
    """What its instances do."""
    one, same, names = filled(cls), filled(cls), cls.__slots__
    changed = [filled(cls) for _ in names]
    for name, other in zip(names, changed, strict=True):
        object.__setattr__(other, name, "changed")
    given = [field for field in dataclasses.fields(cls) if field.init]
    needed = [f.name for f in given if f.default is f.default_factory is dataclasses.MISSING]
    sets: list[dict[str, object]] = [
        {field.name: 7 for field in given},
        dict.fromkeys(needed, 7),
        dict.fromkeys(needed[1:], 7),
        {**dict.fromkeys(needed, 7), "stranger": 7},
    ]
    plain_repr = cls.__repr__ is object.__repr__  # an address
    plain_hash = cls.__hash__ is object.__hash__
    return {
        "equal": [outcome(compared, one, other) for other in (same, 1)],
        "changed": [outcome(compared, one, other) for other in changed],
        "hash": None if plain_hash else [outcome(hash, value) for value in (one, *changed)],
        "repr": None if plain_repr else outcome(repr, one),
        "set": [outcome(setattr, one, name, 1) for name in names],
        "deleted": [outcome(delattr, one, name) for name in names],
        "untouched": contents(one),
        "copies": [contents(outcome(how, one)) for how in (copy.copy, copy.deepcopy)],
        "state": outcome(lambda: one.__reduce_ex__(4)[2:]),
        "replaced": [contents(outcome(dataclasses.replace, one, **{name: 9})) for name in names],
        "dict": outcome(dataclasses.asdict, one),
        "positional": contents(outcome(cls, *range(len(given)))),
        "too many": contents(outcome(cls, *range(len(given) + 1))),
        "named": [contents(outcome(cls, **words)) for words in sets],
    }
