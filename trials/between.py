"""One results folder against another: a network of one's own against the reference, in pairs by seed."""

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trials import comparisons
from trials.comparisons import Measured
from trials.datasets import DATASETS
from trials.errors import UserError
from trials.keys import difference
from trials.report import comparisons_table
from trials.store import Folder
from trials.tables import grouped

RECORDED = ("engine", "device", "architecture")
"Of a folder's header: what may make numbers differ though nothing was declared otherwise; versions likewise."

UNIMPORTANT = ("record",)
"Of a protocol: what changes no result."


@dataclass(frozen=True)
class _Side:
    """A configuration of one of the folders, as `measured` under the folder's letter; `failed` trials count nowhere.

    `held_out`: its trials' test samples are drawn from the data, which has no test part of its own.
    """

    measured: Measured
    key: Mapping[str, Any]
    failed: int
    held_out: bool


Pair = tuple[_Side, _Side]


def compare(first: Folder, second: Folder) -> str:
    """Which configurations of two folders differ, and how sure that is, for people; writes nothing.

    Configurations with equal swept values are compared (or all with one that was not swept), and of folders that
    hold the same variants each only with its namesake. Raises UserError where no two trials of equal seed were
    trained and tested on the same data.
    """
    if first.path.resolve() == second.path.resolve():
        raise UserError(f"--report with two folders compares them. Received: {first.path} twice.")
    _check_data(first, second)
    sides = [_sides(folder, letter) for folder, letter in ((first, "A"), (second, "B"))]
    found = _pairs(*sides) if all(sides) else []
    pairs = [pair for pair in found if not _tested_otherwise(*pair)]
    refused = [why for pair in found if (why := _tested_otherwise(*pair))]
    if refused and not pairs:
        raise UserError(
            f"{first.path} and {second.path} cannot be compared: not tested on the same samples ({refused[0]}).\n"
            "Train both with the same test part."
        )
    rows = comparisons.family_rows("folders", [(one.measured, other.measured) for one, other in pairs])
    if not any(row["n"] for row in rows):
        raise UserError(
            f"No trials of equal seed ended well in both folders.\n{_seeds('A', first)}; {_seeds('B', second)}."
        )
    blocks = [
        "Test accuracy, in pairs of trials of equal seed",
        f"A  {first.path} ({first.header['experiment']})\nB  {second.path} ({second.header['experiment']})",
        comparisons_table(rows),
        textwrap.fill(_conclusion(rows), 100),
        textwrap.fill(_different(first, second, pairs), 100),
        *_left_out(list(itertools.chain(*sides)), found, refused),
    ]
    return "\n\n".join(block for block in blocks if block)


def _left_out(sides: Sequence[_Side], found: Sequence[Pair], refused: Sequence[str]) -> Iterator[str]:
    """What does not count: trials that failed, configurations without a partner, pairs that were refused."""
    paired = {side.measured.label for pair in found for side in pair}
    failed = [f"{side.failed} of {side.measured.label}" for side in sides if side.failed]
    alone = [side.measured.label for side in sides if side.measured.label not in paired]
    if failed:
        yield textwrap.fill(f"Trials that did not end well and count nowhere: {', '.join(failed)}.", 100)
    if alone:
        yield textwrap.fill(f"Left out, since only one folder has them: {', '.join(alone)}.", 100)
    for why in dict.fromkeys(refused):
        yield f"Left out, {refused.count(why)} pairs not tested on the same samples: {why}."


def _check_data(first: Folder, second: Folder) -> None:
    """The same samples in the same order, however they were scaled: known datasets are held to their checksums."""
    one, other = (folder.header["data"] for folder in (first, second))
    known = one["source"] == other["source"] and one["source"] in DATASETS
    if not known and first.header["data checksum"] != second.header["data checksum"]:
        what = f"{one['source']} and {other['source']}" if one["source"] != other["source"] else one["source"]
        raise UserError(
            f"{first.path} and {second.path} cannot be compared: their trials did not read the same data ({what}; "
            "the checksums differ).\nTrain both on the same data, resized and scaled alike."
        )
    if one["test_fraction"] != other["test_fraction"]:
        raise UserError(
            f"{first.path} and {second.path} cannot be compared: test_fraction is {one['test_fraction']} and "
            f"{other['test_fraction']}.\nTrain both with the same test part."
        )


def _tested_otherwise(one: _Side, other: _Side) -> str:
    """Why trials of equal seed did not have the same samples held out for the test; empty where they had."""
    for name in ("split_seed", "stratified") if one.held_out else ():
        values = one.key["data"][name], other.key["data"][name]
        if values[0] != values[1]:
            return f"{name} {values[0]} / {values[1]}"
    return ""


def _sides(folder: Folder, letter: str) -> list[_Side]:
    fraction = folder.header["data"]["test_fraction"]
    sides = []
    for group in grouped(folder.ordered()):
        measured = comparisons.measured(group, fraction)
        named = replace(measured, variant=f"{letter} {measured.variant}")
        sides.append(
            _Side(named, group[0].key, sum(record.result.status != "ok" for record in group), fraction is not None)
        )
    return sides


def _pairs(first: Sequence[_Side], second: Sequence[_Side]) -> list[Pair]:
    every = list(itertools.product(first, second))
    alike = [(one, other) for one, other in every if one.key["values"] == other.key["values"]]
    names = [{side.key["variant"] for side in sides} for sides in (first, second)]
    same = [(one, other) for one, other in alike if one.key["variant"] == other.key["variant"]]
    unswept = any(len(sides) == 1 or not any(side.key["values"] for side in sides) for sides in (first, second))
    found = (names[0] == names[1] and same) or alike or (unswept and every)
    if not found:
        a, b = (", ".join(dict.fromkeys(_values(side) for side in sides)) for sides in (first, second))
        raise UserError(f"The two folders have no swept value in common.\nA has {a}.\nB has {b}.")
    return found


def _values(side: _Side) -> str:
    return " ".join(f"{name}={value}" for name, value in side.key["values"].items()) or "nothing swept"


def _seeds(letter: str, folder: Folder) -> str:
    seeds = sorted({record.result.seed for record in folder.records.values() if record.result.status == "ok"})
    return f"{letter} has seeds {seeds[0]} to {seeds[-1]}" if seeds else f"no trial of {letter} ended well"


def _conclusion(rows: Sequence[Mapping[str, Any]]) -> str:
    if all(row["n"] and row["difference_mean"] == row["difference_ci95_low"] == 0 for row in rows):
        return f"All {sum(row['n'] for row in rows)} pairs of trials have the same test accuracy."
    shown = [_shown(row) for row in rows if row["verdict"] in comparisons.BETTER.values()]
    left = [row for row in rows if row["verdict"] not in comparisons.BETTER.values()]
    undecided = f"no difference is shown; {comparisons.could(left, len(rows))}." if left else ""
    if not left or not shown:
        return "; ".join(shown) + "." if shown else undecided[:1].upper() + undecided[1:]
    return f"{'; '.join(shown)}. In the other {len(left)} of {len(rows)} comparisons {undecided}"


def _shown(row: Mapping[str, Any]) -> str:
    better = row["verdict"] == comparisons.BETTER[True]
    winner, loser = (row["second"], row["first"]) if better else (row["first"], row["second"])
    return f"{winner} is shown better than {loser}, by {100 * abs(row['difference_mean']):.2f} points"


def _different(first: Folder, second: Folder, pairs: Sequence[Pair]) -> str:
    """What else is not the same on both sides: how networks were trained, how data was prepared, and with what."""
    declared = [tuple({**side.key["protocol"], **side.key["data"]} for side in pair) for pair in pairs]
    found = []
    for one, other in [*declared, (_circumstances(first), _circumstances(second))]:
        old, new = difference(one, other)
        found += [f"{name} {_short(old[name])} / {_short(new[name])}" for name in old if name not in UNIMPORTANT]
    return f"Not the same (A / B), beside the networks: {', '.join(dict.fromkeys(found))}." if found else ""


def _circumstances(folder: Folder) -> dict[str, Any]:
    header = folder.header
    return {**header["data"], **{name: header.get(name) for name in RECORDED}, **header["versions"]}


def _short(value: Any) -> str:
    """A Keras identifier as it would be called: `SparseCategoricalCrossentropy(from_logits=True)`."""
    if isinstance(value, dict) and "class_name" in value:
        settings = ", ".join(f"{name}={setting}" for name, setting in value.get("config", {}).items())
        return f"{value['class_name']}({settings})"
    return str(value)
