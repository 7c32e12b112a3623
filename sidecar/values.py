"""Classes of frozen values, made sooner: `dataclass` does what the library's does.

The library writes four to seven functions for each class, as text, and compiles each by itself: a
quarter of what a start took. What it writes differs between classes of one shape in the names
alone. So here an `__init__` is compiled once for each shape, and a class is given it with the
names of its own fields; `__eq__` and `__hash__` take these out by one function of C. Fields,
slots, `replace`, `asdict` and `match` stay the library's, and so do all classes that are not
frozen, have no slots, are ordered, are without a docstring, or have a dataclass as a base.

tests/unit/test_values.py compares every class of this package with its twin from the library.
What is not known here is a TypeError where the class is defined, so that nothing differs silently.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from functools import cache
from inspect import get_annotations
from operator import attrgetter
from reprlib import recursive_repr
from types import FunctionType
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, order=False, eq=True, repr=True):
        """The library's decorator, for these options. TypeError for what it cannot keep."""

        def decorated(cls):
            theirs = not (frozen and slots) or order or cls.__bases__ != (object,)
            # The library would ask inspect for a signature, to make a docstring of it.
            if theirs or not cls.__doc__:
                wrap = dataclasses.dataclass(
                    frozen=frozen, slots=slots, order=order, eq=eq, repr=repr
                )
                return wrap(cls)
            return _value(cls, eq=eq, repr=repr)

        return decorated if cls is None else decorated(cls)


class _NotGiven:
    def __repr__(self) -> str:
        return "<factory>"  # as signatures show it


_NOT_GIVEN = _NotGiven()
_WRAP = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)


def _value(cls: Any, *, eq: bool, repr: bool) -> Any:
    """The class with slots, and its functions, where it has none of its own by that name."""
    written = get_annotations(cls)
    # In each text the library looks for words of its own, by an expression, three times.
    cls.__annotations__ = {
        name: object if _is_text(kind) else kind for name, kind in written.items()
    }
    cls = _WRAP(cls)
    cls.__annotations__ = written
    for name, field in cls.__dataclass_fields__.items():
        field.type = written[name]
    params = cls.__dataclass_params__
    params.init, params.repr, params.eq, params.frozen = True, repr, eq, True
    known = fields(cls)
    if len(known) != len(cls.__dataclass_fields__):
        raise TypeError(f"{cls.__name__} has a ClassVar or an InitVar: take the library's")
    own = set(cls.__dict__)
    functions = [_init(cls, known)]
    if eq:
        compared = [field.name for field in known if field.compare]
        functions.append(_eq_of(_taken(compared)))
        # Who has an __eq__ only was given None for a __hash__ by Python: that is not its own.
        if "__hash__" not in own or (cls.__hash__ is None and "__eq__" in own):
            own.discard("__hash__")
            hashed = [f.name for f in known if (f.compare if f.hash is None else f.hash)]
            functions.append(_hash_of(_taken(hashed)))
    for function in functions:
        function.__qualname__ = f"{cls.__qualname__}.{function.__name__}"
    if not own.isdisjoint(("__setattr__", "__delattr__")):
        raise TypeError(f"Cannot overwrite attribute __setattr__ in class {cls.__name__}")
    functions += _SHARED if repr else _SHARED_WITHOUT_REPR
    for function in functions:
        if function.__name__ not in own:
            setattr(cls, function.__name__, function)
    return cls


def _is_text(annotation: object) -> bool:
    """Whether it is one that means nothing to the library."""
    return isinstance(annotation, str) and "Var" not in annotation and "KW_" not in annotation


def _init(cls: Any, known: tuple[Field[Any], ...]) -> Any:
    """`__init__`, which puts each value into its slot: nothing else may, once it is there."""
    kinds = "".join(map(_kind, known))
    given = [field for field in known if field.init]
    if any(field.kw_only for field in known) or "self" in cls.__dataclass_fields__:
        raise TypeError(f"{cls.__name__} has a field by keyword, or one called self")
    optional = [f for f in given if f.default is not MISSING or f.default_factory is not MISSING]
    if optional != given[len(given) - len(optional) :]:
        raise TypeError(f"a non-default argument of {cls.__name__} follows a default argument")
    slots = [getattr(cls, field.name).__set__ for field in known]
    defaults = [
        field.default if field.default_factory is MISSING else field.default_factory
        for field in known
    ]
    made = _init_of(kinds, hasattr(cls, "__post_init__"))(*slots, *defaults, _NOT_GIVEN)
    names = [field.name for field in given]
    module = sys.modules.get(cls.__module__)
    init = FunctionType(
        made.__code__.replace(co_varnames=("self", *names)),
        vars(module) if module else {},  # where its annotations mean something
        "__init__",
        tuple(_NOT_GIVEN if _kind(field) == "m" else field.default for field in optional),
        made.__closure__,
    )
    init.__annotations__ = {field.name: field.type for field in given} | {"return": None}
    return init


def _kind(field: Field[Any]) -> str:
    """Given, made by a factory unless it is given, fixed, or unset: one letter."""
    if field.default_factory is not MISSING:
        if not field.init:
            raise TypeError(f"{field.name} has a factory, and cannot be given: take the library's")
        return "m"
    if field.init:
        return "g"
    return "u" if field.default is MISSING else "f"


@cache
def _init_of(kinds: str, post_init: bool) -> Any:
    """What makes an `__init__` of these kinds of fields, from their slots and defaults."""
    value = {"g": "f{0}", "f": "d{0}", "m": "d{0}() if f{0} is NOT_GIVEN else f{0}"}
    given = "".join(f", f{at}" for at, kind in enumerate(kinds) if kind in "gm")
    lines = [
        f"  s{at}(self, {value[kind].format(at)})" for at, kind in enumerate(kinds) if kind != "u"
    ]
    if post_init:
        lines.append("  self.__post_init__()")
    parts = [f"{letter}{at}" for letter in "sd" for at in range(len(kinds))] + ["NOT_GIVEN"]
    body = "\n".join(lines) or "  pass"
    return _compiled(
        "make",
        f"def make({', '.join(parts)}):\n def __init__(self{given}):\n{body}\n return __init__",
    )


def _taken(names: list[str]) -> Any:
    """What takes the values of these fields out of one, as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda _self: ()
    only = attrgetter(names[0])
    return lambda self: (only(self),)


def _eq_of(taken: Any) -> Any:
    def __eq__(self: Any, other: object) -> Any:
        if other.__class__ is self.__class__:
            return taken(self) == taken(other)
        return NotImplemented

    return __eq__


def _hash_of(taken: Any) -> Any:
    def __hash__(self: Any) -> int:
        return hash(taken(self))

    return __hash__


def _compiled(name: str, text: str) -> Any:
    namespace: dict[str, Any] = {}
    exec(text, namespace)  # noqa: S102  # numbers and the words above are all that is in it
    return namespace[name]


def __setattr__(self: Any, name: str, value: object) -> None:
    if _is_frozen(type(self), name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def __delattr__(self: Any, name: str) -> None:
    if _is_frozen(type(self), name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _is_frozen(cls: Any, name: str) -> bool:
    """All of a value is; a descendant that is no dataclass may have attributes of its own."""
    return "__dataclass_fields__" in cls.__dict__ or name in cls.__dataclass_fields__


@recursive_repr()
def __repr__(self: Any) -> str:
    shown = ", ".join([f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr])
    return f"{self.__class__.__qualname__}({shown})"


def __getstate__(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in fields(self)]


def __setstate__(self: Any, state: list[object]) -> None:
    for field, value in zip(fields(self), state, strict=False):
        object.__setattr__(self, field.name, value)


# The same function for all: of each class, it would take some KB that nobody looks at.
_SHARED_WITHOUT_REPR = [__setattr__, __delattr__, __getstate__, __setstate__]
_SHARED = [__repr__, *_SHARED_WITHOUT_REPR]
