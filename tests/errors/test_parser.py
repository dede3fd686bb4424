"""Any words on the command line are understood or refused in a sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials import arguments
from trials.errors import UserError

OPTIONS = sorted(option for action in arguments.parser()._actions for option in action.option_strings)
WORDS = st.sampled_from(
    [*OPTIONS, *(f"{option}=" for option in OPTIONS), "--", "-", "1", "0", "-1", "auto", "9" * 5000]
)


@settings(deadline=None, max_examples=500)
@given(st.lists(WORDS | st.text(max_size=5), max_size=6))
def test_the_parser_lets_nothing_but_a_user_error_out(words):
    try:
        arguments.check_modes(arguments.parser().parse_args(words))
    except UserError as error:
        assert str(error)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_is_given_nothing_is_understood_or_names_itself(option):
    try:
        arguments.check_modes(arguments.parser().parse_args([option]))
    except UserError as error:
        assert option in str(error)
        assert len(str(error).splitlines()) <= 3
