"""Every part of a network in the zoo is an uncompiled model of feature maps that can be described in full."""

import inspect

import pytest

from analysis import describe
from models import BUILDERS, FEATURE_MAPS
from trials import outline


@pytest.mark.parametrize("name", FEATURE_MAPS)
def test_a_part_is_described_in_full_from_its_defaults(name, keras):
    builder = FEATURE_MAPS[name]
    assert all(p.kind == p.KEYWORD_ONLY for p in inspect.signature(builder).parameters.values())
    model = outline.model(outline.plan(builder))
    assert not model.compiled
    assert (model.name, len(model.output_shape)) == (name, 4)
    assert describe.totals(describe.rows(model)).uncounted == ()


def test_a_name_stands_in_one_table():
    assert not BUILDERS.keys() & FEATURE_MAPS.keys()
