"""Which configurations differ: pairs of variants, neighbours along a sweep, and the conclusion in words."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trials import statistics
from trials.journal import Record

COLUMNS = (
    "family",
    "first",
    "second",
    "n",
    "difference_mean",
    "difference_std",
    "difference_ci95_low",
    "difference_ci95_high",
    "p",
    "p_holm",
    "probability_of_improvement",
    "detectable_difference",
    "verdict",
    "note",
)
VARIANTS = "variants"
BETTER = {True: "second is better", False: "first is better"}


@dataclass(frozen=True)
class Measured:
    """A configuration and what its trials reached.

    `values` are the swept ones in declared order, `accuracies` test accuracies (0 to 1) by seed of the
    trials that ended well, `test_to_train` n_test / n_train where every trial draws its own test set, else 0.
    """

    variant: str
    values: Mapping[str, Any]
    accuracies: Mapping[int, float]
    test_to_train: float = 0.0

    @property
    def label(self) -> str:
        return " ".join([self.variant, *(f"{name}={value}" for name, value in self.values.items())])

    @property
    def mean(self) -> float | None:
        return statistics.summarize(list(self.accuracies.values()))["mean"]


Pair = tuple[Measured, Measured]


def measured(group: Sequence[Record], test_fraction: float | None) -> Measured:
    """What the trials of one configuration reached; `test_fraction` is None where the data has its own test part."""
    key = group[0].key
    ok = (record.result for record in group if record.result.status == "ok")
    good = {result.seed: accuracy for result in ok if (accuracy := result.metrics["test_accuracy"]) is not None}
    validation = key["data"]["validation_fraction"] or 0
    resampled = test_fraction and key["data"]["split_seed"] is None
    ratio = test_fraction / ((1 - test_fraction) * (1 - validation)) if test_fraction and resampled else 0.0
    return Measured(key["variant"], key["values"], good, ratio)


def comparison_rows(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """The rows of comparisons.csv, keys `COLUMNS`; Holm's correction within each family."""
    return [row for family, pairs in _families(measured).items() for row in family_rows(family, pairs)]


def _families(measured: Sequence[Measured]) -> dict[str, list[Pair]]:
    """All pairs of variants at equal swept values, and for each swept name its neighbours, all else equal."""
    points = _groups(measured, lambda each: each.values)
    families = {VARIANTS: [pair for group in points for pair in itertools.combinations(group, 2)]}
    for name in _swept(measured):
        families[name] = [pair for line in _lines(measured, name) for pair in itertools.pairwise(line)]
    return families


def _swept(measured: Sequence[Measured]) -> list[str]:
    return list(dict.fromkeys(name for each in measured for name in each.values))


def _lines(measured: Sequence[Measured], name: str) -> list[list[Measured]]:
    """Configurations that differ in one swept value alone: numbers ascending, others as declared."""
    having = [each for each in measured if name in each.values]  # not every variant takes every swept option
    lines = _groups(having, lambda each: (each.variant, _without(each.values, name)))
    return [sorted(line, key=lambda each: each.values[name]) if _numbers(line, name) else line for line in lines]


def _numbers(line: Sequence[Measured], name: str) -> bool:
    return all(isinstance(each.values[name], int | float) for each in line)


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in values.items() if other != name}


def _groups(measured: Iterable[Measured], key: Any) -> list[list[Measured]]:
    groups: dict[str, list[Measured]] = {}
    for each in measured:
        groups.setdefault(repr(key(each)), []).append(each)  # swept values may be lists
    return list(groups.values())


def family_rows(family: str, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """The pairs compared, keys `COLUMNS`, with Holm's correction for all of them."""
    compared = [
        statistics.compare(first.accuracies, second.accuracies, _test_to_train(first, second))
        for first, second in pairs
    ]
    adjusted = statistics.holm([each["p"] for each in compared])
    rows = []
    for (first, second), figures, p_holm in zip(pairs, compared, adjusted, strict=True):
        row = {"family": family, "first": first.label, "second": second.label, **figures, "p_holm": p_holm}
        row["verdict"] = _verdict(row, len(pairs))
        row["note"] = ". ".join(_notes(first, second, row, len(pairs)))
        rows.append({column: row[column] for column in COLUMNS})
    return rows


def _test_to_train(first: Measured, second: Measured) -> float:
    """The larger one: one side's shared examples already correlate the pairs."""
    return max(first.test_to_train, second.test_to_train)


def _verdict(row: Mapping[str, Any], comparisons: int) -> str:
    """In words; as many pairs are asked for where t replaces the sign flips, so that a family has one rule."""
    if not row["n"]:
        return "no pairs"
    if row["n"] < statistics.pairs_needed(comparisons):
        return "too few trials"
    if row["p_holm"] is None or row["p_holm"] > statistics.LEVEL:
        return "no difference shown"
    return BETTER[row["difference_mean"] > 0]


def _notes(first: Measured, second: Measured, row: Mapping[str, Any], comparisons: int) -> Iterable[str]:
    if row["verdict"] == "too few trials":
        yield _needed(comparisons)
    alone = len(first.accuracies.keys() ^ second.accuracies.keys())
    if alone:
        yield f"{_count(alone, 'trial')} without a partner of the same seed left out"
    if _test_to_train(first, second):
        yield "splits are resampled: Nadeau and Bengio's corrected t"
        if row["n"] > 1 and row["p"] is None:
            yield "no spread, so no test"


def _needed(comparisons: int) -> str:
    verb = "needs" if comparisons == 1 else "need"
    return f"{_count(comparisons, 'comparison')} {verb} at least {statistics.pairs_needed(comparisons)} pairs"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def conclusion(measured: Sequence[Measured], rows: Sequence[Mapping[str, Any]]) -> str:
    """What the means and the rows of `comparison_rows` say: a sentence on the variants, one on each sweep.

    Means over swept values are those of the points that every variant has, so that no point is picked by
    its test accuracy.
    """
    known = [each for each in measured if each.accuracies]
    if len(known) < 2:
        return _alone(known[0]) if known else "No configuration has a test accuracy."
    sentences = [_variants_sentence(known, rows), *(_sweep_sentence(known, rows, name) for name in _swept(known))]
    return " ".join(sentence for sentence in sentences if sentence) or "No swept point has all variants."


def _alone(only: Measured) -> str:
    figures = statistics.summarize(list(only.accuracies.values()))
    low, high = figures["ci95_low"], figures["ci95_high"]
    known = "" if low is None or high is None else f", 95 % interval {_percent(low)} to {_percent(high)}"
    of = f"over {_count(len(only.accuracies), 'trial')}"
    return f"The mean test accuracy of {only.label} is {_percent(_mean([only]))} {of}{known}."


def _variants_sentence(measured: Sequence[Measured], rows: Sequence[Mapping[str, Any]]) -> str:
    variants = list(dict.fromkeys(each.variant for each in measured))
    points = [point for point in _groups(measured, lambda each: each.values) if len(point) == len(variants)]
    if len(variants) < 2 or not points:
        return ""
    common = [each for point in points for each in point]
    means = {name: _mean(each for each in common if each.variant == name) for name in variants}
    highest = max(means.values())
    leaders = [name for name, mean in means.items() if highest - mean <= statistics.ROUNDING]
    over = f" over {len(points)} swept points" if len(points) > 1 else ""
    has = "has" if len(leaders) == 1 else "share"
    start = f"{_listed(leaders)} {has} the highest mean test accuracy{over}, {_percent(highest)}"
    family = [row for row in rows if row["family"] == VARIANTS]
    return "; ".join([start, *_against(leaders[0], common, family, len(points))]) + "."


def _against(best: str, common: Iterable[Measured], family: Sequence[Mapping[str, Any]], points: int) -> Iterable[str]:
    """Than which variants `best` is shown better or worse (of several points at how many), and which are left."""
    variant = {each.label: each.variant for each in common}
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in family:
        sides = [variant.get(row["first"], ""), variant.get(row["second"], "")]
        if best in sides and all(sides):
            found.setdefault(sides[sides[0] == best], []).append(row)
    losers = {other: [variant.get(_loser(row)) for row in compared] for other, compared in found.items()}
    for how, lost in (
        ("better", {o: names.count(o) for o, names in losers.items()}),
        ("worse", {o: names.count(best) for o, names in losers.items()}),
    ):
        shown = [other + (f" at {k} of {points} points" if points > 1 else "") for other, k in lost.items() if k]
        if shown:
            yield f"{best} is shown {how} than {_listed(shown)}"
    undecided = [other for other, names in losers.items() if not any(names)]
    if undecided:
        yield f"no difference is shown between {best} and {_listed(undecided, 'or')}"
        yield could([row for other in undecided for row in found[other]], len(family))


def _sweep_sentence(measured: Sequence[Measured], rows: Sequence[Mapping[str, Any]], name: str) -> str:
    lines = _lines(measured, name)
    of = {
        line[0].variant: _ends([other for other in lines if other[0].variant == line[0].variant], name)
        for line in lines
    }
    paths = {variant: ends for variant, ends in of.items() if ends}
    if not paths:
        return ""
    value = {each.label: str(each.values[name]) if len(lines) == 1 else each.label for line in lines for each in line}
    whose = [(f"of {variant} " if len(of) > 1 else "") + f"goes {ends}" for variant, ends in paths.items()]
    family = [row for row in rows if row["family"] == name]
    steps = [
        f"{value[row['first']]} to {value[row['second']]} ({100 * row['difference_mean']:+.2f} points)"
        for row in family
        if row["verdict"] in BETTER.values()
    ]
    if steps:
        shown = f"between neighbours a difference is shown from {_listed(steps)}"
    else:
        shown = f"no difference between neighbours is shown; {could(family, len(family))}"
    return f"Along {name} the mean test accuracy {_listed(whose)}; {shown}."


def _ends(lines: Sequence[Sequence[Measured]], name: str) -> str | None:
    """From where to where accuracy goes, averaged over one variant's lines, of the values measured in all."""
    columns = _groups((each for line in lines for each in line), lambda each: each.values[name])
    complete = [column for column in columns if len(column) == len(lines)]
    if len(complete) < 2:
        return None
    low, high = complete[0], complete[-1]
    start, end = (f"{_percent(_mean(column))} at {column[0].values[name]}" for column in (low, high))
    return f"from {start} to {end}"


def _loser(row: Mapping[str, Any]) -> str:
    """The side that is shown worse, or neither."""
    return {BETTER[True]: row["first"], BETTER[False]: row["second"]}.get(row["verdict"], "")


def could(rows: Sequence[Mapping[str, Any]], comparisons: int) -> str:
    """What undecided comparisons would have taken."""
    if any(row["verdict"] == "too few trials" for row in rows):
        return f"too few trials: {_needed(comparisons)}"
    if all(row["verdict"] == "no pairs" for row in rows):
        return "no two of their trials have the same seed"
    sizes = sorted(row["detectable_difference"] for row in rows if row["detectable_difference"])
    if not sizes:
        return "no spread among pairs says what could have been shown"
    pairs = min(row["n"] for row in rows if row["n"])
    to = f" to {100 * sizes[-1]:.2f}" if f"{100 * sizes[0]:.2f}" != f"{100 * sizes[-1]:.2f}" else ""
    smallest = f"the smallest true difference that {pairs} pairs show with 80 % power in a single comparison"
    return f"{smallest} is {100 * sizes[0]:.2f}{to} points"


def _mean(measured: Iterable[Measured]) -> float:
    means = [each.mean for each in measured]
    return sum(mean for mean in means if mean is not None) / len(means)


def _percent(accuracy: float) -> str:
    return f"{100 * accuracy:.2f} %"


def _listed(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
