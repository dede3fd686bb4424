"""Mistakes in what an experiment's file declares, and in the networks that its builders make."""

from collections.abc import Sequence

from tests.errors.case import INLINE, Case, own

DECLARATIONS = {
    "experiment(name='a/b')": ("'a/b'", "letters"),
    "experiment(name='nul')": ("'nul'", "Windows"),
    "experiment(trials=0)": ("0", "at least 1"),
    "experiment(variants=())": ("'own'", "no variants"),
    "experiment(variants=(Variant('v', net),) * 2)": ("'own'", "repeat: v, v"),
    "experiment(sweep={'units': ()})": ("'units'", "no values"),
    "experiment(sweep={'units': (1, 1)})": ("'units'", "twice: [1]"),
    "experiment(sweep={'units': (len,)})": ("'units'", "plain values", "built-in function len"),
    "experiment(sweep={'unit': (1,)})": ("'unit'", "'units'"),
    "experiment(sweep={'epochs': (1, 2)})": ("'epochs'", "something else"),
    "experiment(protocol=Protocol(1, 'mse', record=('validation',)))": ("'own'", "validation_fraction"),
    "experiment(published=(Published(0.9, 1, 'S', where={'unitz': 3}),))": ("'unitz'", "Allowed: variant"),
    "Published(0.9, 0, 'S')": ("0", "at least 1"),
    "Published(0.9, 1, 'S', metric='acc')": ("'acc'", "Allowed: train_accuracy"),
    "Data(3)": ("3", "a name, a file or a function"),
    "Data('iris', size=28)": ("28", "(height, width)"),
    "Data('iris', size=(0, 1))": ("0", "at least 1"),
    "Data('iris', labels='onehot')": ("'onehot'", "one_hot"),
    "Data('iris', mean=0.5)": ("mean=0.5", "set both"),
    "Data('iris', mean=0.5, std=0)": ("0", "a number above 0"),
    "Data('iris', scale=0)": ("0", "a number above 0"),
    "Data('iris', stratified='maybe')": ("'maybe'", "true or false"),
    "Data('iris', split_seed=-1)": ("-1", "2**32 - 1"),
    "Data('iris', test_fraction=1)": ("1", "between 0 and 1"),
    "Protocol(0, 'mse')": ("0", "at least 1"),
    "Protocol(1, 'mse', batch_size=0)": ("0", "at least 1"),
    "Protocol(1, 'mse', optimizer=None)": ("None", "Keras name"),
    "Protocol(1, None)": ("None", "Keras name"),
    "Protocol(1, {'class_name': 'mse', 'config': len})": ("built-in function len", "plain values"),
    "Protocol(1, 'mse', learning_rate=float('nan'))": ("nan", "finite numbers"),
    "Protocol(1, 'mse', class_weight={1: len})": ("built-in function len", "plain values"),
    "Protocol(1, 'mse', shuffle=1)": ("1", "true or false"),
    "Protocol(1, 'mse', record=('tests',))": ("'tests'", "'test'"),
    "Protocol(1, 'mse', select='best')": ("'best'", "Allowed: last"),
    "Protocol(1, 'mse', patience=3)": ("patience", "validation_loss"),
    "Protocol(1, 'mse', select='validation_loss', patience=0)": ("0", "at least 1"),
    "Protocol(1, 'mse', evaluate_every=0)": ("0", "at least 1"),
    "Protocol(1, 'mse', select='validation_loss', evaluate_every=1)": ("evaluate_every", "select"),
    "Variant('a b', net)": ("'a b'", "letters"),
    "Variant('a', 'net')": ("'net'", "a function"),
    "Variant('a', lambda epochs: 1)": ("'epochs'", "Rename it"),
    "Variant('a', net, {'unitz': 1})": ("'unitz'", "'units'"),
    "Variant('a', net, {'units': len})": ("built-in function len", "plain values"),
    "Variant('a', net, protocol={'shufle': False})": ("'shufle'", "'shuffle'"),
}


BUILDERS = {
    "raise ValueError('out of ideas')": ("'built'", "out of ideas"),
    "i = keras.Input(input_shape); d = keras.layers.Dense(3); return keras.Model(i, [d(i), d(i)])": (
        "'built'",
        "several outputs",
    ),
    "return keras.layers.Dense(3)": ("keras.Model", "Received: Dense"),
    "return keras.Sequential([keras.Input((9,)), keras.layers.Dense(3)])": ("'built'", "(None, 4)"),
    "return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(7)])": ("(None, 3)", "(None, 7)"),
    "m = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(3)]); m.compile(loss='mse'); return m": (
        "'built'",
        "uncompiled",
    ),
}
SOUND = "return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(3)])"


def building(body: str, named: tuple[str, ...], words: Sequence[str] = (), protocol: str = "1, 'mse'") -> Case:
    before = f"import keras\ndef built(*, input_shape, classes):\n    {body}"
    declared = own(f"experiment(variants=(Variant('v', built),), protocol=Protocol({protocol}))", before)
    return Case([*INLINE, *words], named, declared)


RANDOM = SOUND.replace("keras.layers.Dense", "keras.layers.Rescaling(np.random.rand()), keras.layers.Dense")
TRAINED = [
    *(building(body, named, protocol="1, 'sparse_categorical_crossentropy'") for body, named in BUILDERS.items()),
    building(SOUND, ("categorical_crossentropy", "(None,)", "(None, 3)"), protocol="1, 'categorical_crossentropy'"),
    building(SOUND, ("adman", "v"), protocol="1, 'mse', optimizer='adman'"),
    building(
        RANDOM,
        ("draws more than weights", "--engine auto or fit"),
        ["--engine", "graph"],
        "1, 'sparse_categorical_crossentropy'",
    ),
]
