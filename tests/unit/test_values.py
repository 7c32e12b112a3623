"""The classes of frozen values beside the library's: nothing tells them apart but the time."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar import values
from tests.unit.twins import (
    OURS,
    as_written,
    behaved,
    classes_of_the_package,
    contents,
    described,
    filled,
    twins,
)

PACKAGE: list[Any] = list(classes_of_the_package())


def twins_of(cls: Any) -> tuple[Any, Any]:
    params = cls.__dataclass_params__
    options = {name: getattr(params, name) for name in ("frozen", "eq", "order", "repr")}
    return twins(cls.__name__, as_written(cls), slots=True, **options)


@pytest.mark.parametrize("cls", PACKAGE, ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
def test_classes_of_the_package(cls: Any) -> None:
    """Each class of the package is what the library makes of the same body, and does the same."""
    theirs, ours = twins_of(cls)

    assert described(theirs) == described(ours)
    assert behaved(theirs) == behaved(ours)


def test_classes_as_they_are() -> None:
    """Each class of the package describes itself as its twin, and comes back from a pickle."""
    for cls in PACKAGE:
        theirs, one = described(twins_of(cls)[0]), filled(cls)

        assert theirs["init"] == described(cls)["init"]
        assert theirs["params"] == described(cls)["params"]
        assert cls.__module__ == cls.__init__.__module__
        assert contents(one) == contents(pickle.loads(pickle.dumps(one)))


def test_who_makes_them() -> None:
    """Frozen classes of the package are made here, but for those with an order; others are not."""
    here = {cls for cls in PACKAGE if vars(cls).get("__getstate__") is values.__getstate__}
    expected = {
        cls
        for cls in PACKAGE
        if cls.__dataclass_params__.frozen and not cls.__dataclass_params__.order
    }

    assert expected == here
    assert len(here) > 250


PLAIN, MADE = object(), object()
DEFAULTS = st.sampled_from([PLAIN, PLAIN, MADE, 5, "five", None])
NAMES = st.sampled_from(["a", "b", "f0", "f1", "s0", "d1", "hash", "other", "name", "cls", "_x"])


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A class of up to six fields of all kinds, and methods of its own."""
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    body: dict[str, Any] = {
        "__doc__": "A value.",
        "__module__": __name__,
        "__qualname__": "Outer.Value",
        "__annotations__": {name: draw(st.sampled_from(["int", "str", int])) for name in names},
    }
    for name in names:
        default = draw(DEFAULTS)
        options: dict[str, Any] = {
            option: draw(st.sampled_from([True, True, True, False]))
            for option in ("repr", "init", "compare")
        }
        options["hash"] = draw(st.sampled_from([None, None, True, False]))
        if default is MADE:
            options |= {"default_factory": list, "init": True}
        elif default is not PLAIN:
            options["default"] = default
        body[name] = dataclasses.field(**options)
    own = {
        "__post_init__": lambda self: LOG.append(contents(self)),
        "__eq__": lambda _self, _other: True,
        "__hash__": lambda _self: 3,
        "__repr__": lambda _self: "own",
        "__init__": lambda _self, *_: None,
        "__setattr__": object.__setattr__,
        "__getstate__": lambda _self: [],
    }
    for name in draw(st.lists(st.sampled_from(sorted(own)), unique=True, max_size=2)):
        body[name] = own[name]
    return body


LOG: list[object] = []


@given(bodies(), st.booleans(), st.booleans())
def test_any_class(body: dict[str, Any], eq: bool, repr: bool) -> None:
    """Whatever its fields and its own methods, a class is the same, or is refused by both."""
    theirs, ours = twins("Value", body, frozen=True, slots=True, eq=eq, repr=repr)

    if isinstance(theirs, tuple):
        assert theirs[0] is ours[0]
        return
    if "__init__" not in body:
        assert described(theirs) == described(ours)
    LOG.clear()
    expected = behaved(theirs), [*LOG]
    LOG.clear()
    assert expected == (behaved(ours), [*LOG])


@values.dataclass(frozen=True, slots=True)
class Point:
    """A value to look at."""

    x: int
    seen: list[Any] = dataclasses.field(default_factory=list, compare=False)


def test_factory() -> None:
    """A factory is asked for each value anew, and not where one was given."""
    given: list[Any] = []

    assert Point(1).seen is not Point(1).seen
    assert Point(1, given).seen is given


def test_repr_of_itself() -> None:
    """A value within itself is three dots, as from the library."""
    point = Point(1)
    point.seen.append(point)

    assert "Point(x=1, seen=[...])" == repr(point)


def test_strangers() -> None:
    """No attribute can be added, changed or removed, whether it is a field or not."""
    for name in ("x", "seen", "stranger", "__class__"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"assign to field '{name}'"):
            setattr(Point(1), name, 2)
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"delete field '{name}'"):
            delattr(Point(1), name)


def test_descendants() -> None:
    """A descendant may have attributes of its own; its fields stay frozen; it equals no base."""

    class Marked(Point):
        """With a mark."""

    marked = Marked(1)
    marked.mark = 5  # type: ignore[attr-defined]

    assert Point(1) != marked
    with pytest.raises(dataclasses.FrozenInstanceError):
        marked.x = 2  # type: ignore[misc]
    del marked.mark  # type: ignore[attr-defined]
    assert not hasattr(marked, "mark")
    with pytest.raises(dataclasses.FrozenInstanceError):
        del marked.x


def test_dataclass_of_a_dataclass() -> None:
    """A descendant with fields is the library's, and inherits ours."""

    @values.dataclass(frozen=True, slots=True)
    class Solid(Point):
        """With a height."""

        z: int = 0

    assert ("x", "seen", "z") == Solid.__match_args__
    assert Solid(1, z=2) == dataclasses.replace(Solid(1), z=2)
    assert Solid.__getstate__ is not Point.__getstate__


@pytest.mark.parametrize(
    "body",
    [
        {"__annotations__": {"a": ClassVar[int]}},
        {"__annotations__": {"a": dataclasses.InitVar[int]}},
        {"__annotations__": {"a": "ClassVar[int]"}},
        {"__annotations__": {"a": "dataclasses.InitVar[int]"}},
        {"__annotations__": {"_": "dataclasses.KW_ONLY", "a": "int"}},
        {"__annotations__": {"_": dataclasses.KW_ONLY, "a": int}},
        {"__annotations__": {"a": int}, "a": dataclasses.field(kw_only=True)},
        {"__annotations__": {"a": list}, "a": dataclasses.field(init=False, default_factory=list)},
        {"__annotations__": {"self": int}},
    ],
)
def test_what_is_not_kept(body: dict[str, Any]) -> None:
    """What is not done as the library does it is refused where the class is defined."""
    with pytest.raises(TypeError):
        OURS(frozen=True, slots=True)(type("Value", (), {"__doc__": "A value.", **body}))


@pytest.mark.parametrize("option", ["init", "kw_only", "unsafe_hash", "match_args", "weakref_slot"])
def test_unknown_options(option: str) -> None:
    """An option that it does not know is an error, not ignored."""
    with pytest.raises(TypeError, match=option):
        OURS(frozen=True, slots=True, **{option: True})


@pytest.mark.parametrize("options", [{}, {"frozen": True}, {"slots": True}])
def test_left_to_the_library(options: dict[str, bool]) -> None:
    """A class that can be changed, or has no slots, is made by the library."""

    @OURS(**options)
    class Value:
        """One that we leave alone."""

        a: int

    assert "<string>" == Value.__init__.__code__.co_filename
    assert options.get("frozen", False) == Value.__dataclass_params__.frozen  # type: ignore[attr-defined]
