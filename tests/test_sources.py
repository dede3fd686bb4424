import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import models
from tests.conftest import ROOT
from trials.errors import UserError
from trials.sources import helpers, load_file, load_source, source_hash


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """Loading adds to the path and to the modules: both are given back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("user_file_") or name in ("beside", "layers", "layers.deep", "deeper"):
            del sys.modules[name]


def user_file(tmp_path, text, name="mine.py"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_file_is_a_module_named_by_its_text(tmp_path):
    path = user_file(tmp_path, "def network():\n    return 7\n")
    module, text = load_file(path)
    assert module.network() == 7
    assert text == path.read_text(encoding="utf-8")
    assert sys.modules[module.network.__module__] is module
    assert module.__file__ == str(path)


def test_another_text_is_another_module(tmp_path):
    first, _ = load_file(user_file(tmp_path, "VALUE = 1\n"))
    second, _ = load_file(user_file(tmp_path, "VALUE = 2\n"))
    assert (first.VALUE, second.VALUE) == (1, 2)
    assert first.__name__ != second.__name__


def test_a_worker_loads_the_sent_text_though_the_file_is_gone(tmp_path):
    module = load_source("user_file_sent", tmp_path / "gone.py", "def network():\n    return 7\n")
    assert module.network() == 7
    assert sys.modules["user_file_sent"] is module


def test_a_users_file_may_import_its_neighbours_but_hides_no_installed_module(tmp_path):
    user_file(tmp_path, "VALUE = 5\n", "beside.py")
    user_file(tmp_path, "raise RuntimeError\n", "numpy.py")
    module, _ = load_file(user_file(tmp_path, "import numpy\nfrom beside import VALUE\n"))
    assert module.VALUE == 5
    assert sys.path[-1] == str(tmp_path)


def test_a_helper_that_another_file_brought_first_is_refused(tmp_path):
    for name, value in (("one", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        user_file(tmp_path / name, f"VALUE = {value}\n", "beside.py")
    text = "from beside import VALUE\n"
    assert load_file(user_file(tmp_path / "one", text))[0].VALUE == 1
    with pytest.raises(
        UserError, match=r"imports beside, and got .*one/beside.py instead of .*other/beside.py"
    ) as told:
        load_file(user_file(tmp_path / "other", text + "# another text\n"))
    assert len(str(told.value).splitlines()) <= 3


def test_helpers_in_folders_beside_the_file_and_their_relative_imports_are_part_of_the_hash(tmp_path):
    (tmp_path / "layers").mkdir()
    user_file(tmp_path / "layers", "from .deep import VALUE\n", "__init__.py")
    text = "from layers import VALUE\n\ndef network():\n    return VALUE\n"
    hashes = []
    for value in (1, 2):
        user_file(tmp_path / "layers", f"VALUE = {value}\n", "deep.py")
        for name in ("layers", "layers.deep"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        hashes.append(source_hash(load_file(user_file(tmp_path, text))[0].network))
    assert hashes[0] != hashes[1]


def test_helpers_of_a_users_file_within_the_checkout_are_part_of_the_hash(tmp_path, monkeypatch):
    monkeypatch.setattr("trials.sources.PROJECT", tmp_path)
    (tmp_path / "mine" / "layers").mkdir(parents=True)
    hashes = []
    for value in (1, 2):
        user_file(tmp_path / "mine" / "layers", f"VALUE = {value}\n", "deep.py")
        for name in ("layers", "layers.deep"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        module, _ = load_file(
            user_file(tmp_path / "mine", "from layers.deep import VALUE\ndef network():\n    return 1\n")
        )
        hashes.append(source_hash(module.network))
    assert hashes[0] != hashes[1]


def test_a_relative_import_that_a_file_falls_back_from_is_no_mistake(tmp_path):
    user_file(tmp_path, "VALUE = 5\n", "beside.py")
    text = "try:\n    from .beside import VALUE\nexcept ImportError:\n    from beside import VALUE\n"
    assert load_file(user_file(tmp_path, text))[0].VALUE == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n\ny = 1 / 0\n", r"ZeroDivisionError: division by zero \(line 3\)\.$"),
        ("def f():\n    raise KeyError('k')\n\nf()\n", r"KeyError: 'k' \(line 2\)\.$"),
        ("import json\njson.loads('')\n", r"JSONDecodeError: .* \(line 2\)\.$"),
        ("def f(:\n", r"SyntaxError: .* line 1\)\.$"),
        (
            "import not_installed_anywhere\n",
            r"ModuleNotFoundError: No module named 'not_installed_anywhere' \(line 1\)",
        ),
        ("import sys\nsys.exit(3)\n", r"SystemExit: 3 \(line 2\)"),
    ],
)
def test_a_file_that_fails_is_named_with_the_reason_and_the_line(tmp_path, text, message):
    path = user_file(tmp_path, text)
    with pytest.raises(UserError, match=message) as told:
        load_file(path)
    assert str(told.value).startswith(f"The file {path} failed while it was loaded: ")


def test_a_user_error_of_the_file_keeps_its_words(tmp_path):
    text = "from trials.errors import UserError\nraise UserError('Mount the disk first.')\n"
    with pytest.raises(UserError, match=r"^Mount the disk first\.$"):
        load_file(user_file(tmp_path, text))


def test_ctrl_c_while_a_file_loads_is_no_mistake_of_the_file(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        load_file(user_file(tmp_path, "raise KeyboardInterrupt\n"))


def test_a_long_message_of_a_file_is_told_in_at_most_three_lines(tmp_path):
    with pytest.raises(UserError) as told:
        load_file(user_file(tmp_path, "raise ValueError('a\\nb\\nc\\nd')\n"))
    assert len(str(told.value).splitlines()) <= 3


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", "a folder"])
def test_what_cannot_be_read_as_text_is_a_user_error(tmp_path, content):
    path = tmp_path / "mine.py"
    if content == "a folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"The file {path} cannot be read"):
        load_file(path)


def test_a_builders_identity_is_the_code_of_its_file(tmp_path):
    text = "from trials.experiment import *\n\n\ndef network():\n    return {}\n\n\ndef other():\n    pass\n"
    question = "\nA = Experiment('a', '?', Data('iris'), (Variant('b', network),), Protocol(1, 'mse'), trials={})\n"
    module, _ = load_file(user_file(tmp_path, text.format(1) + question.format(2)))
    same, _ = load_file(user_file(tmp_path, text.format(1) + "# a remark\n" + question.format(3), "same.py"))
    changed, _ = load_file(user_file(tmp_path, text.format(2) + question.format(2), "changed.py"))
    assert source_hash(module.network) == source_hash(module.other) == source_hash(same.network)
    assert source_hash(changed.network) != source_hash(module.network)


def test_a_builder_typed_at_a_prompt_is_refused():
    names = {}
    exec(compile("def network():\n    pass\n", "<stdin>", "exec"), names)
    with pytest.raises(UserError, match="comes from no file"):
        source_hash(names["network"])


def test_a_builder_written_in_c_is_refused():
    with pytest.raises(UserError, match="comes from no file"):
        source_hash(len)


LAYERS = "from deeper import scale\n\n\ndef layer():\n    return scale()\n"
DEEPER = "def scale():\n    return 1\n"
NETWORK = "import json\nimport layers\n\n\ndef network():\n    return layers.layer()\n"


def hashed(folder, network=NETWORK, layers=LAYERS, deeper=DEEPER):
    """The identity of `network` with these neighbours, loaded as from nothing."""
    folder.mkdir(exist_ok=True)
    for name in ("layers", "deeper"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    user_file(folder, layers, "layers.py")
    user_file(folder, deeper, "deeper.py")
    module, _ = load_file(user_file(folder, network))
    sys.path.remove(str(folder.resolve()))
    return source_hash(module.network)


REMARKS = """from deeper import scale  # a remark


def layer():
    '''One layer.'''

    return (
        scale()
    )
"""


def test_a_builders_identity_covers_what_it_imports_from_its_folder_itself_or_through_others(tmp_path):
    base = hashed(tmp_path / "base")
    assert base == hashed(tmp_path / "same")
    changed = [
        hashed(tmp_path / "near", layers=LAYERS.replace("scale()", "-scale()")),
        hashed(tmp_path / "far", deeper=DEEPER.replace("1", "2")),
        hashed(tmp_path / "both", layers=LAYERS.replace("scale()", "-scale()"), deeper=DEEPER.replace("1", "2")),
    ]
    assert len({base, *changed}) == 4


def test_docstrings_comments_and_layout_of_a_neighbour_do_not_count(tmp_path):
    assert hashed(tmp_path / "base") == hashed(tmp_path / "remarks", layers=REMARKS)
    text = '"""A network."""\n' + NETWORK.replace("():\n", '():\n    """Returns a layer."""\n    # made of one\n\n')
    assert hashed(tmp_path / "base") == hashed(tmp_path / "own", network=text)


def test_modules_elsewhere_do_not_count(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.syspath_prepend(str(elsewhere))
    found = set()
    for value in (1, 2):
        user_file(elsewhere, f"VALUE = {value}\n", "beside.py")
        sys.modules.pop("beside", None)
        importlib.invalidate_caches()
        found.add(hashed(tmp_path / str(value), network="import beside\n" + NETWORK))
    assert len(found) == 1


def test_the_way_to_a_file_does_not_change_its_builders_identity(tmp_path):
    straight = hashed(tmp_path / "mine")
    path = tmp_path / "mine" / ".." / "mine" / "mine.py"
    (tmp_path / "link").symlink_to(tmp_path / "mine", target_is_directory=True)
    for way in (path, tmp_path / "link" / "mine.py"):
        module, _ = load_file(way)
        assert source_hash(module.network) == straight


IDENTITY = """
import sys
import models, trials.sources
print(*(trials.sources.source_hash(builder) for builder in models.BUILDERS.values()))
print("tensorflow" in sys.modules, "keras.src" in sys.modules)
"""


def test_the_zoos_identities_are_found_without_loading_keras():
    done = subprocess.run([sys.executable, "-c", IDENTITY], cwd=ROOT, capture_output=True, text=True, check=True)
    hashes, loaded = done.stdout.splitlines()
    assert loaded == "False False"
    assert len(set(hashes.split())) == len({builder.__module__ for builder in models.BUILDERS.values()})


def test_the_lenets_identity_covers_the_layers_of_pytorch(monkeypatch):
    from models import pytorch

    before = {name: source_hash(builder) for name, builder in models.BUILDERS.items()}
    monkeypatch.setattr(pytorch, "__loaded_text__", "MOMENTUM = 0.99\n", raising=False)
    changed = {name for name, builder in models.BUILDERS.items() if source_hash(builder) != before[name]}
    assert changed == {"lenet", "lenet5", "lenet5_batch_norm_dropout", "lenet5_regularized"}


def test_modules_beside_a_users_file_are_sent_with_it_and_load_where_no_file_is(tmp_path, monkeypatch):
    texts = {"own": "import beside", "beside": "from deeper import TWO", "deeper": "TWO = 2"}
    files = {name: user_file(tmp_path, text, f"{name}.py") for name, text in texts.items()}
    module, text = load_file(files["own"])
    sent = helpers({module.__name__: (str(files["own"]), text)})
    assert list(sent) == ["deeper", "beside"]  # what is imported comes first
    for name in sent:
        monkeypatch.delitem(sys.modules, name)
    for path in files.values():
        path.unlink()
    for name, (file, source) in sent.items():
        load_source(name, Path(file), source)
    assert sys.modules["beside"].TWO == 2
