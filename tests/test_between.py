"""Two results folders compared: which pairs, on what grounds refused, and what else is told to differ."""

import dataclasses

import pytest

from tests.conftest import ROOT
from tests.small_records import SMALL, records
from trials.between import compare
from trials.datasets import declaration
from trials.errors import UserError
from trials.store import Folder

LOW = (0.50, 0.52, 0.54, 0.56, 0.58, 0.60)
HIGH = (0.70, 0.71, 0.76, 0.75, 0.80, 0.79)


@pytest.fixture
def results(tmp_path):
    """Writes records into a results folder; `data` and what else are parts of its header."""

    def write(name, *measured, data=None, **header):
        known = {"experiment": name, "swept": ["units"], "data checksum": "c0ffee", "versions": {"keras": "3"}}
        read = {**declaration(SMALL.data), **(data or {})}
        folder = Folder(tmp_path / name, {**known, "data": read, "engine": "graph", **header})
        folder.begin("cpu")
        for one in measured:
            folder.add(one)
        folder.close()
        return Folder.existing(tmp_path / name, lock=False)

    return write


def changed(measured, part, **values):
    return [dataclasses.replace(one, key={**one.key, part: {**one.key[part], **values}}) for one in measured]


def reseeded(measured, first):
    for one in measured:
        one.result.seed += first
    return measured


def pairs(text):
    """First and second of each comparison."""
    lines = text.split("\n\n")[2].splitlines()[2:]
    return [tuple(line.split("  ")[:2]) for line in lines if line.startswith("A ")]


def test_a_network_of_ones_own_is_held_against_the_reference_in_pairs_by_seed(results, tmp_path):
    mine, reference = results("mine", *records(10, *HIGH)), results("reference", *records(10, *LOW, variant="deep"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    text = compare(mine, reference)
    # Mean difference -0.2017, standard deviation 0.01472: t(5) * 0.01472 / sqrt(6) = 0.01545. All signs: 2 / 2**6.
    assert [line for line in text.splitlines() if not line.startswith("---")] == [
        "Test accuracy, in pairs of trials of equal seed",
        "",
        f"A  {tmp_path / 'mine'} (mine)",
        f"B  {tmp_path / 'reference'} (reference)",
        "",
        "first           second             pairs    second - first, points     95 % interval    p (Holm)  verdict",
        "A mlp units=10  B deep units=10        6                    -20.17  -21.71 to -18.62      0.0312  first is better",  # noqa: E501
        "",
        "A mlp units=10 is shown better than B deep units=10, by 20.17 points.",
    ]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_swept_values_meet_their_equals_and_namesakes_each_other(results):
    one = results("one", *records(10, *LOW), *records(20, *HIGH), *records(30, *HIGH))
    same = results("same", *records(20, *LOW), *records(10, *LOW))
    assert pairs(compare(one, same)) == [("A mlp units=10", "B mlp units=10"), ("A mlp units=20", "B mlp units=20")]
    assert compare(one, same).endswith("Left out, since only one folder has them: A mlp units=30.")
    both = results("both", *records(10, *HIGH), *records(10, *HIGH, variant="deep"))
    assert pairs(compare(same, both)) == [("A mlp units=10", "B deep units=10"), ("A mlp units=10", "B mlp units=10")]
    other = results("other", *records(40, *HIGH))
    assert pairs(compare(same, other)) == [("A mlp units=10", "B mlp units=40"), ("A mlp units=20", "B mlp units=40")]
    more = results("more", *records(40, *HIGH), *records(50, *HIGH))
    with pytest.raises(
        UserError, match=r"no swept value in common.\nA has units=10, units=20.\nB has units=40, units=50."
    ):
        compare(same, more)


def test_without_a_difference_it_is_told_what_could_have_been_shown(results):
    one, other = results("one", *records(10, *LOW)), results("other", *records(10, *LOW[::-1]))
    assert "No difference is shown; the smallest true difference that 6 pairs show with 80 % power" in " ".join(
        compare(one, other).split()
    )
    again = results("again", *records(10, *LOW))
    assert "All 6 pairs of trials have the same test accuracy." in compare(one, again)


def test_trials_that_did_not_end_well_and_those_without_a_partner_are_told(results):
    one = results("one", *records(10, *LOW), *records(20, *LOW))
    text = compare(one, results("other", *records(10, *LOW[:4]), *records(20, *LOW, status="diverged")))
    assert "A mlp units=10 and B mlp units=10: " in text
    assert "2 trials without a partner of the same seed left out." in text
    assert "Trials that did not end well and count nowhere: 6 of B mlp units=20." in text
    assert "no pairs" in text
    assert "have the same test accuracy" not in text  # of one pair of configurations nothing is known


def test_what_else_differs_is_told_and_what_was_only_recorded_is_not(results):
    measured = changed(
        records(10, *HIGH), "protocol", epochs=5, record=["train"], loss={"class_name": "L", "config": {"a": 1}}
    )
    one = results("one", *records(10, *LOW))
    made = {"versions": {"keras": "4"}, "engine": "fit"}
    other = results("other", *changed(measured, "data", mean=0.5), data={"scale": 16}, **made)
    assert " ".join(compare(one, other).split("\n\n")[4].split()) == (
        "Not the same (A / B), beside the networks: epochs 2 / 5, loss mse / L(a=1), mean None / 0.5, "
        "scale None / 16, engine graph / fit, keras 3 / 4."
    )


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"data": {"source": "digits"}, "data checksum": "bad"}, "did not read the same data (iris and digits;"),
        ({"data": {"test_fraction": 0.5}}, "test_fraction is 0.2 and 0.5"),
    ],
)
def test_folders_on_other_data_are_refused(results, second, told):
    one, other = results("one", *records(10, *LOW)), results("other", *records(10, *LOW), **second)
    with pytest.raises(UserError) as refusal:
        compare(one, other)
    assert told in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 2


def test_known_data_may_be_scaled_otherwise_but_a_users_own_must_be_the_very_same(results):
    one, scaled = results("one", *records(10, *LOW)), results("b", *records(10, *LOW), **{"data checksum": "other"})
    assert compare(one, scaled)  # iris is iris
    own = [results(name, *records(10, *LOW), data={"source": "own.csv"}, **{"data checksum": name}) for name in "xy"]
    with pytest.raises(UserError, match=r"did not read the same data \(own.csv; the checksums differ\)"):
        compare(*own)


@pytest.mark.parametrize("values", [{"split_seed": None}, {"split_seed": 1}, {"stratified": True}])
def test_trials_tested_on_other_samples_are_refused(results, values):
    one, other = results("one", *records(10, *LOW)), results("other", *changed(records(10, *LOW), "data", **values))
    (name,) = values
    with pytest.raises(UserError, match=rf"not tested on the same samples \({name} "):
        compare(one, other)
    both = results("both", *changed(records(10, *LOW), "data", **values), *records(10, *HIGH, variant="deep"))
    text = compare(one, both)
    assert pairs(text) == [("A mlp units=10", "B deep units=10")]
    assert "Left out, 1 pairs not tested on the same samples: " + name in text
    fixed = {"data": {"source": "mnist", "test_fraction": None}}
    one, other = (
        results("f", *records(10, *LOW), **fixed),
        results("g", *changed(records(10, *LOW), "data", **values), **fixed),
    )
    assert compare(one, other)


def test_where_splits_are_resampled_the_corrected_test_is_used(results):
    one, other = (
        results(name, *changed(records(10, *accuracies), "data", split_seed=None))
        for name, accuracies in (("one", LOW), ("other", HIGH))
    )
    assert "A mlp units=10 and B mlp units=10: splits are resampled: Nadeau and Bengio's corrected t." in compare(
        one, other
    )


def test_a_folder_is_not_compared_with_itself(results, tmp_path):
    one = results("one", *records(10, *LOW))
    (tmp_path / "link").symlink_to(tmp_path / "one")
    with pytest.raises(UserError, match="twice"):
        compare(one, Folder.existing(tmp_path / "link", lock=False))


def test_without_a_seed_in_common_there_is_nothing_to_compare(results):
    one, other = results("one", *records(10, *LOW)), results("other", *reseeded(records(10, *LOW), 6))
    with pytest.raises(UserError, match=r"No trials of equal seed .*\nA has seeds 0 to 5; B has seeds 6 to 11"):
        compare(one, other)
    failed = results("failed", *records(10, 0.5, status="failed"))
    with pytest.raises(UserError, match="no trial of B ended well"):
        compare(one, failed)


def test_the_command_compares_two_folders_and_takes_no_more(command):
    reference = ROOT / "results" / "reference"
    done = command("--report", reference / "lenet5_mnist", reference / "lenet5_1998_mnist")
    assert done.returncode == 0, done.stderr
    assert "A lenet5 is shown better than B lenet5_1998, by 0.26 points." in done.stdout
    for folders, told in (
        (["lenet5_mnist"] * 2, "twice"),
        (["lenet5_mnist", "lenet_cifar10"], "(mnist and cifar10;"),
        (["lenet5_mnist"] * 3, "Received: 3 folders"),
    ):
        refused = command("--report", *(reference / name for name in folders))
        assert (refused.returncode, refused.stdout) == (2, "")
        assert told in refused.stderr
        assert len(refused.stderr.splitlines()) <= 3
