"""What is selected from the tables."""

from tests.plots.small_tables import SWEEP
from trials.plots.tables import read


def test_of_many_configurations_every_variant_shows_the_same_values(folder):
    pairs = [(variant, str(units)) for variant in "ab" for units in range(10, 101, 10)]
    trials = [f"e,{variant},{units},1,0,ok,1,1,0.5,,5," for variant, units in pairs]
    summary = [f"{variant},{units},1,0,0.5,," for variant, units in pairs]
    tables = read(folder({"trials": [SWEEP["trials"][0], *trials], "summary": [SWEEP["summary"][0], *summary]}))
    # 12 panels for 2 variants are 6 of the 10 values, at places 0, 1.8, 3.6, 5.4, 7.2 and 9.
    chosen = [(variant, units) for units in ("10", "30", "50", "60", "80", "100") for variant in "ab"]
    assert tables.readable(list(tables.summary)) == chosen
    assert tables.readable(pairs[:3]) == pairs[:3]
