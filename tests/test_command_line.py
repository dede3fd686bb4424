"""Real runs of the real command line."""

import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from models import mlp
from tests.conftest import ENVIRONMENT, ROOT, needs_data, rows, run_trials, tables
from trials import statistics
from trials.experiment import METRICS
from trials.seeds import Stream, integer
from trials.sources import source_hash

# A lazily loaded keras stands in sys.modules under its own name; keras.src comes with the real one.
HEAVY = {"pandas", "scipy", "sklearn", "matplotlib", "tensorflow", "keras.src", "jax", "torch"}
SMALL = ("--experiment", "iris_hidden_units", "--set", "units=4,8", "--trials", "3", "--epochs", "2")
INLINE = ("--executor", "inline")
TABLES = ("trials.csv", "epochs.csv", "summary.csv", "published.csv")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


EXPERIMENT = """
    import keras
    from trials.experiment import Data, Experiment, Protocol, Variant

    def tiny(*, input_shape, classes, units=4):
        {body}

    EXPERIMENT = Experiment(
        name="own",
        question="Does it work?",
        data=Data("iris", test_fraction=0.2),
        variants=(Variant("tiny", tiny),),
        protocol=Protocol(epochs=2, loss="sparse_categorical_crossentropy"{protocol}),
        trials=2,
    )
"""
SOUND = (
    "return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(units), "
    "keras.layers.Dense(classes, activation='softmax')])"
)


def own(folder: Path, body: str = SOUND, protocol: str = "", before: str = "") -> Path:
    return write(folder, "own.py", before + textwrap.dedent(EXPERIMENT).format(body=body, protocol=protocol))


# --- answers that must come at once ------------------------------------------------------------


QUICK = [
    "",
    "--list",
    "--list lenet*",
    "--help",
    "--version",
    "--experiment",
    "--experiment iris_hidden_units --dry-run",
    "--experiment lenet5_mnist --dry-run",
    "--experiment iris_hiden_units",
    "--experiment iris_hidden_units --set unit=3",
    "--experiment iris_hidden_units --trials 0",
    "--report nowhere",
    "--evaluate nowhere",
    "--verify nowhere",
    "--check lenet6",
    "--describe lenet6",
    "--describe lenet5 --set unit=3",
]
ANSWERS = """
import contextlib, sys
import run_trials
for words in sys.argv[1:]:
    sys.argv = ["run_trials.py", *words.split()]
    with contextlib.suppress(SystemExit):
        run_trials.main()
    print()
    print("loaded:", *sys.modules)
"""


def test_quick_answers_import_nothing_heavy(tmp_path):
    gpu = [] if any(Path("/dev").glob("nvidia[0-9]*")) else ["--experiment iris_hidden_units --device gpu"]
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS, *QUICK, *gpu],
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = [set(line.split()) for line in done.stdout.splitlines() if line.startswith("loaded: ")]
    heavy = {words: found & HEAVY for words, found in zip([*QUICK, *gpu], loaded, strict=True)}
    assert {words: found for words, found in heavy.items() if found} == {}
    assert list(tmp_path.iterdir()) == []


def test_dry_run_counts_what_a_run_would_train(command):
    shown = command("--experiment", "iris_hidden_units", "--dry-run", "--trials", "3", "--epochs", "7").stdout
    assert "10 configurations x 3 trials (seeds 0 to 2) = 30 trainings" in shown
    assert "210 epochs, 840 steps" in shown  # 120 samples in batches of 32: 4 steps
    assert "120 train, 30 test" in shown
    assert "about" not in shown


def test_dry_run_counts_the_samples_of_every_configuration(command):
    words = ("--experiment", "lenet5_digits", "--dry-run", "--trials", "1", "--epochs", "1")
    shown = command(*words, "--set", "validation_fraction=0.1,0.5").stdout
    # 1,797 digits, of which 360 test: 144 or 719 held out, 1,293 or 718 to train on, in batches of 32: 41 + 23 steps
    assert "2 epochs, 64 steps in all, at most; samples: 718 to 1293 train, 144 to 719 validation, 360 test" in shown


def test_dry_run_says_what_sets_a_variant_apart_and_what_set_makes_equal(command):
    words = ("--experiment", "batch_norm_dropout_mnist", "--dry-run")
    shown = command(*words).stdout
    assert "  bn_hidden            batch_norm=True shuffle=False mean=0.1307 std=0.3081\n" in shown
    assert "  dropout              first_dropout=0.2 dropout=0.5\n" in shown
    equal = command(*words, "--set", "shuffle=true", "--set", "mean=none", "--set", "std=none").stdout
    assert "  bn_hidden            batch_norm=True\n" in equal


# --- a run and its tables ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One small run in two workers, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    done = run_trials(folder, *SMALL, "--workers", "2", TF_CUDNN_DETERMINISTIC="0", TF_VAR_secret="s")
    assert done.returncode == 0, done.stderr
    return folder / "results" / "iris_hidden_units", done


def test_tables_have_the_documented_columns(finished):
    folder, _ = finished
    figures = [f"{metric}_{suffix}" for metric in METRICS for suffix in statistics.SUFFIXES]
    header = {name: (folder / name).read_text().splitlines()[0].split(",") for name in TABLES}
    assert header["summary.csv"] == ["variant", "units", "n", "failed", *figures, "test_accuracy_binomial_se"]
    assert header["trials.csv"] == [
        *("experiment", "variant", "units", "trial", "seed", "status", "epochs", "best_epoch"),
        *("train_accuracy", "train_loss", "validation_accuracy", "validation_loss", "test_accuracy", "test_loss"),
        *("parameters", "error"),
    ]
    assert header["epochs.csv"][:6] == ["experiment", "variant", "units", "trial", "seed", "epoch"]


def test_trials_are_paired_by_seed_and_counted_from_one(finished):
    table = rows(finished[0] / "trials.csv")
    assert [(row["units"], row["trial"], row["seed"]) for row in table] == [
        (units, str(trial), str(trial - 1)) for units in ("4", "8") for trial in (1, 2, 3)
    ]
    assert {row["status"] for row in table} == {"ok"}
    assert [row["parameters"] for row in table] == ["55"] * 3 + ["139"] * 3  # u^2 + 9 u + 3


def test_summary_averages_the_trials(finished):
    trials = [float(row["test_accuracy"]) for row in rows(finished[0] / "trials.csv")][:3]
    summary = rows(finished[0] / "summary.csv")[0]
    assert float(summary["test_accuracy_mean"]) == pytest.approx(sum(trials) / 3)
    assert (summary["n"], summary["failed"], summary["validation_accuracy_mean"]) == ("3", "0", "")


def test_the_end_of_a_run_shows_table_published_figure_and_place(finished):
    _, done = finished
    assert "95 % interval" in done.stdout
    assert "not measured" in done.stdout  # two widths are not the ten that were published
    assert "results/iris_hidden_units/" in done.stdout
    assert "trials 6/6" in done.stderr
    assert "Traceback" not in done.stderr


def test_report_writes_every_table_anew_and_draws_without_tensorflow(finished, tmp_path):
    folder = Path(shutil.copytree(finished[0], tmp_path / "copy"))
    tables = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    for name in tables:
        (folder / name).unlink()
    code = "import run_trials, sys; run_trials.main(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv = ['run_trials.py', '--report', 'copy']; {code}"],
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {path.name: path.read_bytes() for path in folder.glob("*.csv")} == tables
    assert done.stdout.startswith(finished[1].stdout.partition("\nTables:")[0])
    assert f"Page: copy{os.sep}report.html  (all pages: index.html)" in done.stdout
    assert (folder / "figures" / "sweep.svg").is_file()
    assert not {"tensorflow", "keras.src"} & set(done.stdout.splitlines()[-1].split())


def test_report_finds_a_users_experiment_again(selecting, command):
    folder = selecting / "results" / "selecting"
    before = tables(folder)
    for name in before:
        (folder / name).unlink()
    again = command("--report", "results/selecting")
    assert again.returncode == 0, again.stderr
    assert tables(folder) == before
    (selecting / "selecting.py").unlink()
    check_error(command("--report", "results/selecting"), "selecting.py", "cannot be read")


def test_run_json_says_what_ran(finished):
    record = json.loads((finished[0] / "run.json").read_text())
    assert record["trials trained"] == 6
    assert record["versions"]["tensorflow"]
    assert record["data checksum"]
    assert "--trials 3" in record["command"]
    assert (record["threads a trial"], record["op determinism"]) == (1, False)
    assert record["builders"]["mlp"] == {"function": "models.mlp.mlp", "source sha256": source_hash(mlp)}
    assert len(record["git"]["commit"]) == 40
    assert record["git"]["dirty"] in (True, False)


def test_run_json_says_which_variables_of_the_environment_were_set(finished):
    record = json.loads((finished[0] / "run.json").read_text())
    assert record["environment variables"]["TF_CUDNN_DETERMINISTIC"] == "0"
    assert "secret" not in json.dumps(record)


def test_tables_do_not_depend_on_where_trials_ran(finished, command, tmp_path):
    assert command(*SMALL, "--executor", "inline", "--quiet").returncode == 0
    for name in TABLES:
        assert (tmp_path / "results/iris_hidden_units" / name).read_bytes() == (finished[0] / name).read_bytes()


def test_an_interrupted_and_extended_folder_ends_as_an_undisturbed_one(finished, command, tmp_path):
    folder = tmp_path / "results" / "iris_hidden_units"
    assert command(*SMALL[:2], "--trials", "2", "--epochs", "2", "--set", "units=8", *INLINE).returncode == 0
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])  # as a crash within the last write leaves it
    done = command(*SMALL, *INLINE)
    assert done.returncode == 0
    assert "damaged or unfinished" in done.stderr
    for name in TABLES:
        assert (folder / name).read_bytes() == (finished[0] / name).read_bytes()
    again = command(*SMALL)
    assert "6 of 6 trials are already in" in again.stderr
    assert json.loads((folder / "run.json").read_text())["trials trained"] < 6


# --- users' own files --------------------------------------------------------------------------


def test_a_users_builder_and_data_need_no_registration(command, tmp_path):
    before = """
    import numpy as np

    def blobs():
        x = np.random.default_rng(0).normal(size=(90, 3)).astype("float32")
        return x + np.arange(90)[:, None] % 3, np.array(["a", "b", "c"])[np.arange(90) % 3]
    """
    path = own(tmp_path, before=textwrap.dedent(before))
    path.write_text(path.read_text().replace('Data("iris"', "Data(blobs"))
    for executor, words in (("inline", ()), ("processes", ("--workers", "1"))):
        done = command("--experiment", path, "--executor", executor, *words, "--results", executor)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "inline/own/trials.csv").read_bytes() == (tmp_path / "processes/own/trials.csv").read_bytes()


def test_a_csv_file_is_found_beside_the_experiment(command, tmp_path):
    lines = [f"{i % 7},{i % 3},{'no' if i % 2 else 'yes'}" for i in range(60)]
    (tmp_path / "mine.csv").write_text("\n".join(["a,b,answer", *lines]) + "\n")
    path = own(tmp_path)
    path.write_text(
        path.read_text().replace('Data("iris"', 'Data("mine.csv", label="answer", mean="train", std="train"')
    )
    done = command("--experiment", path, *INLINE)
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "results/own/trials.csv")[0]["parameters"] == str(2 * 4 + 4 + 4 * 2 + 2)


def test_a_diverging_loss_is_a_row_and_the_others_go_on(command, tmp_path):
    path = own(tmp_path, protocol=", optimizer={'class_name': 'SGD', 'config': {'learning_rate': 0.1}}")
    done = command("--experiment", path, "--set", "learning_rate=0.1,1e30", "--trials", "2", *INLINE)
    assert done.returncode == 1
    table = rows(tmp_path / "results/own/trials.csv")
    assert [row["status"] for row in table] == ["ok", "ok", "diverged", "diverged"]
    assert table[2]["test_accuracy"] == ""
    assert "epoch" in table[2]["error"]
    summary = rows(tmp_path / "results/own/summary.csv")
    assert [(row["n"], row["failed"]) for row in summary] == [("2", "0"), ("0", "2")]
    assert "2 diverged" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_seed_whose_builder_fails_is_a_row_and_is_tried_again(command, tmp_path):
    flag = tmp_path / "flag"
    body = f"""
        import os, random
        if random.random() > 0.5 and not os.path.exists({str(flag)!r}):
            raise RuntimeError("unlucky")
        {SOUND}"""
    path = own(tmp_path, body=textwrap.dedent(body).strip().replace("\n", "\n    "))
    done = command("--experiment", path, "--trials", "6", *INLINE)
    statuses = [row["status"] for row in rows(tmp_path / "results/own/trials.csv")]
    assert done.returncode == 1, done.stderr
    draws = [random.Random(integer(seed, Stream.WEIGHTS)).random() for seed in range(6)]
    assert statuses == ["failed" if draw > 0.5 else "ok" for draw in draws]
    assert "unlucky" in done.stderr
    flag.touch()
    done = command("--experiment", path, "--trials", "6", *INLINE)
    assert done.returncode == 0, done.stderr
    assert {row["status"] for row in rows(tmp_path / "results/own/trials.csv")} == {"ok"}


def test_what_the_graph_engine_cannot_train_goes_to_fit_and_says_so(command, tmp_path):
    body = f"""
        model = {SOUND.removeprefix("return ")}
        class Eager(keras.Sequential):
            def train_step(self, data):
                assert float(keras.ops.sum(data[0])) != 0.125
                return super().train_step(data)
            def compile(self, **options):
                super().compile(**{{**options, "run_eagerly": True}})
        return Eager(model.layers)"""
    path = own(tmp_path, body=textwrap.dedent(body).strip().replace("\n", "\n    "))
    done = command("--experiment", path, *INLINE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is trained with fit: the graph engine cannot") == 1
    assert {row["engine"] for row in rows(tmp_path / "results/own/timings.csv")} == {"fit"}


# --- errors, one of each kind: tests/errors has them all -----------------------------------------


def check_error(done, *named):
    assert done.returncode == 2, done.stderr
    message = [line for line in done.stderr.splitlines() if line and "epochs 0/" not in line]
    assert 1 <= len(message) <= 3, done.stderr
    assert "Traceback" not in done.stderr
    for text in named:
        assert text in done.stderr


def test_a_builder_that_is_wrong_for_every_seed_stops_before_anything_is_written(command, tmp_path):
    path = own(tmp_path, body="raise RuntimeError('out of ideas')")
    check_error(command("--experiment", path, "--workers", "1"), "out of ideas")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--experiment", "iris_hiden_units"], ["'iris_hiden_units'", "Did you mean 'iris_hidden_units'?"]),
        (["--experiment", "iris_hidden_units", "--set", "batch_size=0"], ["batch_size", "at least 1", "0"]),
        (["--experiment", "nowhere.py"], ["nowhere.py", "cannot be read"]),
        (["--trails", "3"], ["--trails"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[0].startswith("--") else "",
)
def test_mistakes_on_the_command_line_are_told_in_a_sentence(words, named, command, tmp_path):
    check_error(command(*words), *named)
    assert list(tmp_path.iterdir()) == []


def test_missing_image_data_says_which_files_go_where(command, tmp_path):
    (tmp_path / "empty").mkdir()
    home = {
        "KERAS_HOME": str(tmp_path / "cache"),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    done = command("--experiment", "lenet5_mnist", "--data-dir", "empty", **home)
    check_error(done, "empty/mnist", "could not be downloaded", "train-images-idx3-ubyte")
    assert not (tmp_path / "results").exists()


def test_what_is_set_need_not_fit_a_variant_that_is_not_asked_for(command, tmp_path):
    path = write(
        tmp_path,
        "two.py",
        """
        from models import mlp
        from trials.experiment import Data, Experiment, Protocol, Variant

        EXPERIMENT = Experiment(
            name="two",
            question="?",
            data=Data("iris", test_fraction=0.2),
            variants=(Variant("a", mlp, data={"validation_fraction": 0.2}), Variant("b", mlp)),
            protocol=Protocol(epochs=1, loss="sparse_categorical_crossentropy"),
        )
        """,
    )
    words = ("--experiment", path, "--set", "select=validation_accuracy", "--dry-run")
    assert command(*words, "--variants", "a").returncode == 0
    check_error(command(*words), "validation_fraction")


def test_nothing_is_trained_where_a_later_experiment_cannot_be(command, tmp_path):
    check_error(command("--experiment", "iris_hidden_units", "own.py"), "own.py", "cannot be read")
    path = own(tmp_path)
    path.write_text(path.read_text().replace('Data("iris"', 'Data("nowhere.csv"'))
    check_error(command("--experiment", "iris_hidden_units", path, "--quiet"), "nowhere.csv")
    assert not (tmp_path / "results").exists()


def test_of_two_runs_that_begin_in_one_new_folder_one_is_refused(tmp_path):
    words = [
        sys.executable,
        str(ROOT / "run_trials.py"),
        "--experiment",
        "iris_hidden_units",
        "--set",
        "units=4",
        "--quiet",
    ]
    runs = [
        subprocess.Popen(
            [*words, "--epochs", epochs, "--executor", "inline"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        for epochs in ("1", "2")
    ]
    errors = [run.communicate(timeout=120)[1] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 2], errors
    folder = tmp_path / "results/iris_hidden_units"
    assert len({row["epochs"] for row in rows(folder / "trials.csv")}) == 1
    assert len(folder.joinpath("journal.jsonl").read_text().splitlines()) == 11


def test_a_builder_that_draws_more_than_weights_is_trained_with_fit(command, tmp_path):
    """One traced model would keep the first seed's draw."""
    body = """
        import random
        x = inputs = keras.Input(input_shape)
        x = keras.layers.Rescaling(random.random())(x)
        return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))"""
    path = own(tmp_path, body=textwrap.dedent(body).strip().replace("\n", "\n    "))
    done = command("--experiment", path, "--results", "auto", *INLINE)
    assert done.stderr.count("draws more than weights") == 1
    assert command("--experiment", path, "--results", "fit", "--engine", "fit", *INLINE).returncode == 0
    assert (tmp_path / "auto/own/trials.csv").read_bytes() == (tmp_path / "fit/own/trials.csv").read_bytes()


# --- real images -------------------------------------------------------------------------------


@needs_data
def test_lenet_learns_mnist(command, tmp_path):
    done = command("--experiment", "lenet5_mnist", "--trials", "1", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    (row,) = rows(tmp_path / "results/lenet5_mnist/trials.csv")
    assert float(row["test_accuracy"]) > 0.95
    assert float(row["validation_accuracy"]) > 0.95
    assert row["parameters"] == "61706"
    assert "not comparable" in done.stdout  # one epoch is not the twenty of the source
