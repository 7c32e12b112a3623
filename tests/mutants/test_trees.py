"""A copy of the tree that serves one planted bug after the other."""

from __future__ import annotations

import os
from pathlib import Path

from tests.mutants.trees import make_sound


def inodes(folder: Path) -> dict[str, int]:
    """Everything in this folder: of a file which one it is, of a folder nothing."""
    return {
        str(path.relative_to(folder)): 0 if path.is_dir() else os.lstat(path).st_ino
        for path in folder.rglob("*")
    }


def test_made_sound(tmp_path: Path) -> None:
    """What a bug or its tests put in place of a file, took away or left is put right again."""
    sound, tree = tmp_path / "sound", tmp_path / "tree"
    (sound / "package" / "__pycache__").mkdir(parents=True)
    for name in ("a.py", "b.py", "c.py", "__pycache__/a.pyc"):
        (sound / "package" / name).write_text(name)
    (sound / "world").symlink_to("elsewhere")
    tree.mkdir()
    make_sound(tree, sound)
    assert inodes(sound) == inodes(tree)

    package = tree / "package"
    (package / "a.py").unlink()
    (package / "a.py").write_text("a bug")
    (package / "left").write_text("compiled from the bug")
    (package / "left").replace(package / "__pycache__" / "a.pyc")
    (package / "b.py").unlink()
    (package / "c.py").unlink()
    (package / "c.py").mkdir()
    (tree / ".hypothesis" / "examples").mkdir(parents=True)
    (tree / ".hypothesis" / "examples" / "one").write_text("of the bug")
    (tree / "said").write_text("failed")
    (tree / "world").unlink()
    make_sound(tree, sound)

    assert inodes(sound) == inodes(tree)
    assert "a.py" == (sound / "package" / "a.py").read_text()
