"""Bugs of frozen values that are made by functions of ours."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TESTS = "tests/unit/test_values.py"
MADE = "sidecar/values.py"

VALUES = (
    Mutant(
        "takes values that differ in a later field for equal",
        MADE,
        "compared = [field.name for field in known if field.compare]",
        "compared = [field.name for field in known if field.compare][:1]",
        (TESTS,),
    ),
    Mutant(
        "counts in a hash what equality leaves out",
        MADE,
        "(f.compare if f.hash is None else f.hash)]",
        "f.hash is not False]",
        (TESTS,),
    ),
    Mutant(
        "lets a frozen field be set",
        MADE,
        'raise FrozenInstanceError(f"cannot assign to field {name!r}")',
        "pass",
        (TESTS,),
    ),
    Mutant(
        "makes anew what was given",
        MADE,
        '"m": "d{0}() if f{0} is NOT_GIVEN else f{0}"',
        '"m": "d{0}()"',
        (TESTS,),
    ),
    Mutant(
        "overwrites a class's own method",
        MADE,
        "        if function.__name__ not in own:",
        "        if True:",
        (TESTS,),
    ),
)
