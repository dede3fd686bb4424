"""Every builder of the zoo satisfies what the runner requires, with the options its experiments use."""

import pytest

from experiments import EXPERIMENTS
from models import BUILDERS
from trials.check import check

LARGEST = 5_000_000
"Parameters; what is larger is built and called, no more: its training would take longer than all other tests."
LARGE = ("alexnet", "vgg16", "vgg19")
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in BUILDERS]


@pytest.mark.parametrize("name", NAMES)
def test_a_builder_satisfies_every_requirement(name, keras):
    found = list(check(BUILDERS[name], list(EXPERIMENTS.values()), largest=LARGEST))
    assert [str(finding) for finding in found if finding.status == "FAILED"] == []
    # The graph engine trains every small network of the zoo.
    assert [str(finding) for finding in found if finding.status == "skipped" and "parameters" not in finding.said] == []
