import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials.errors import UserError
from trials.set_values import all_values, one_value_each, value, values

TABLE = [
    ("units=10", ("units", (10,))),
    ("units=10,20", ("units", (10, 20))),
    ("rate=0.5,1e-3", ("rate", (0.5, 0.001))),
    ("shift=-3,-0.5", ("shift", (-3, -0.5))),
    ("shuffle=true,FALSE", ("shuffle", (True, False))),
    ("patience=none,3", ("patience", (None, 3))),
    ("activation=relu,tanh", ("activation", ("relu", "tanh"))),
    ("expression=a=b", ("expression", ("a=b",))),
    ("units=10:30:10", ("units", (10, 20, 30))),
    ("units=10:35:10", ("units", (10, 20, 30))),
    ("units=1:4", ("units", (1, 2, 3, 4))),
    ("units=4:4", ("units", (4,))),
    ("units=30:10:-10", ("units", (30, 20, 10))),
    ("shift=-2:2:2", ("shift", (-2, 0, 2))),
]


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=[text for text, _ in TABLE])
def test_set_reads_values_lists_and_ranges_with_the_stop_included(text, expected):
    read = values(text)
    assert read == expected
    assert [type(one) for one in read[1]] == [type(one) for one in expected[1]]  # 1 == True == 1.0


@pytest.mark.parametrize("text", ["units", "units=", "=3", "", "="])
def test_set_without_a_name_or_a_value_says_what_it_takes(text):
    with pytest.raises(UserError, match=r"--set takes NAME=V1,V2,\.\.\. or NAME=START:STOP:STEP\. Received: '"):
        values(text)


@pytest.mark.parametrize("text", ["u=1:5:0", "u=5:1", "u=1:5:-1", "u=0:100000", "u=0:1000000000000"])
def test_a_range_that_is_none_or_too_long_is_refused_without_being_made(text):
    with pytest.raises(UserError, match="is no range of at most 100,000 values"):
        values(text)


def test_the_longest_range_is_100000_values():
    assert len(values("u=0:99999")[1]) == 100_000


@pytest.mark.parametrize(
    "text", ["learning_rate=0.1:0.5:0.1", "units=1:2:", "units=1:2:3:4", "units=1,2,", f"u=1:{'9' * 5000}"]
)
def test_what_is_neither_a_list_nor_a_range_of_whole_numbers_is_refused(text):
    with pytest.raises(UserError):
        values(text)


@settings(deadline=None)
@given(st.integers())
def test_a_whole_number_reads_back(number):
    assert value(str(number)) == number


@settings(deadline=None)
@given(st.floats(allow_nan=False))
def test_a_float_reads_back_exactly(number):
    assert value(repr(number)) == number


@settings(deadline=None)
@given(st.integers(-1000, 1000), st.integers(1, 50), st.integers(0, 100))
def test_a_range_steps_from_its_start_to_at_most_its_stop(start, step, reach):
    _, read = values(f"n={start}:{start + reach}:{step}")
    assert read[0] == start
    assert start + reach - step < read[-1] <= start + reach
    assert {second - first for first, second in itertools.pairwise(read)} <= {step}


PIECES = st.sampled_from(
    ["units", "=", ",", ":", "-", "1", "0", "9" * 20, "1e9", "nan", "none", "", "\0", "\u0661", "\ud800"]
)


@settings(deadline=None, max_examples=500)
@given(st.lists(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join), max_size=3))
def test_any_text_is_read_or_refused_in_a_sentence(texts):
    for read in (all_values, lambda given: one_value_each(given, "--check")):
        try:
            found = read(texts)
        except UserError as error:
            assert 1 <= len(str(error).splitlines()) <= 3
        else:
            assert len(found) == len(texts)
            assert all(found), "a name is never empty"
