"""Cells as they are read."""

import pytest

from trials.page.grid import MOST_ROWS, Grid, between, different, is_numeric, mark, number


def test_numbers_have_equally_many_digits_and_nothing_stays_nothing():
    assert [number(cell) for cell in ("0.5", "-0.25", "1e-06", "")] == ["0.5000", "−0.2500", "0.0000", ""]
    assert number("0.25", 2, sign=True) == "+0.25"
    assert between("-0.1", "0.2", sign=True) == "−0.1000 to +0.2000"
    assert between("", "") == ""


@pytest.mark.parametrize("text", ["", "0.5", "−0.5", "+0.5 to −1.0", "3 of 10", "0.5 (0.4 to 0.6)", "1e-05", "10"])
def test_what_is_aligned_as_a_number(text):
    assert is_numeric(text)


@pytest.mark.parametrize("text", ["mlp", "0.5 or so", "to", "units = 10", "1.2.3"])
def test_what_is_not(text):
    assert not is_numeric(text)


def test_a_table_drops_columns_that_no_row_fills():
    grid = Grid.filled("c", ["a", "b", "n", "x"], [["1", "", "2", ""], ["", "", "", "y"]], 2, "c.csv")
    assert (grid.head, grid.rows) == (["a", "n", "x"], [["1", "2", ""], ["", "", "y"]])
    assert grid.labels == 1
    assert grid.numeric == [True, True, False]


def test_equal_notes_stand_once_below_the_table():
    notes = different(["b", "", "a", "b"])
    assert notes == ["b", "a"]
    assert [mark(text, notes) for text in ("b", "", "a", "b")] == ["1", "", "2", "1"]


def test_a_long_table_is_cut():
    grid = Grid("c", ["a"], [[str(i)] for i in range(MOST_ROWS + 1)])
    assert len(grid.shown) == MOST_ROWS
