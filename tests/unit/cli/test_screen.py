"""What a person sees."""

from __future__ import annotations

import pytest

from sidecar.cli.screen import plain, write_table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        ([], "-"),
        (["a", 1], "a, 1"),
        (0, "0"),
        ("a\x1b[2J\n\u202eb", "a?[2J??b"),
    ],
)
def test_plain(value: object, text: str) -> None:
    """Nothing that could steer a terminal is passed on."""
    assert text == plain(value)


def test_table_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Off a terminal cells are tab-separated, so that other programs can cut them."""
    write_table(("A", "B"), [("x", 1), ("longer", None)])

    assert "A\tB\nx\t1\nlonger\t-\n" == capsys.readouterr().out
