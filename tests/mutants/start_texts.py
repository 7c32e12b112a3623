"""Bugs of what a start leaves uncompiled."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

YAML = "sidecar/config/yaml_import.py"
IMPORT = "tests/unit/config/test_yaml_import.py"
VALUES = "sidecar/values.py"
TWINS = "tests/unit/test_values.py"

START_TEXTS = (
    Mutant(
        "forgets the flags of a pattern that waits",
        YAML,
        "_compile(*self._given)",
        "_compile(self._given[0])",
        (f"{IMPORT}::test_pattern",),
    ),
    Mutant(
        "leaves every later expression uncompiled",
        YAML,
        "    re.compile = _compile\n",
        "    pass\n",
        (f"{IMPORT}::test_import",),
    ),
    Mutant(
        "compiles at start what only a refused config needs",
        YAML,
        "re.compile = LaterPattern",
        "pass  # re.compile = LaterPattern",
        (f"{IMPORT}::test_import",),
    ),
    Mutant(
        "takes a ClassVar that is written as text for a field",
        VALUES,
        'return isinstance(annotation, str) and "Var" not in annotation and "KW_" not in annotation',
        "return isinstance(annotation, str)",
        (f"{TWINS}::test_what_is_not_kept",),
    ),
    Mutant(
        "hashes a value by its first field alone",
        VALUES,
        "return hash(taken(self))",
        "return hash(taken(self)[:1])",
        (TWINS,),
    ),
)
