"""What a builder must satisfy so that its trials mean something: each requirement checked, and told in words."""

import dataclasses
import inspect
import json
import pickle
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from trials import datasets
from trials.engines import Trainer
from trials.engines.model import blueprint, check_model, compile_model, fresh_model, threshold
from trials.engines.results import Unit
from trials.environment import import_keras, prepare_process, require_tensorflow
from trials.errors import UnsupportedError, UserError, first_line, unknown
from trials.experiment import FIELDS, Builder, Configuration, Data, Experiment, Protocol, Variant
from trials.seeds import batch_order
from trials.sources import source_hash
from trials.splits import Parts, split

SEED = 3
STEPS = 5
SAMPLES = 100  # of which 80 are trained on: STEPS batches of 16
TOLERANCE = 1e-4
"Relative (L2): what two engines may differ by after STEPS steps, as rounding alone makes them."


ROUNDING = 1e-4
"Of the largest gradient: what is smaller is taken for rounding."


@dataclass(frozen=True)
class Finding:
    """What came out for one requirement; `about` says what it was checked with."""

    status: str
    "`ok`, `FAILED` or `skipped`."
    requirement: str
    said: str = ""
    about: str = ""

    def __str__(self) -> str:
        return f"{self.status:<8}{self.requirement}{': ' if self.said else ''}{self.said}"


@dataclass(frozen=True)
class Case:
    """The builder with some options, the protocol it is trained with, and random samples of its data's shape."""

    configuration: Configuration
    samples: datasets.Samples
    about: str

    def model(self, seed: int = SEED) -> Any:
        """A fresh model; what its builder sets in Keras is set back."""
        settings = _settings()
        try:
            return fresh_model(self.configuration, self.samples.x.shape[1:], self.samples.classes, seed)
        finally:
            _restore(settings)

    @cached_property
    def parts(self) -> Parts:
        return split(self.samples, self.configuration.data, SEED)

    @cached_property
    def trained(self) -> "Trained":
        return _trained(self)

    @property
    def changed(self) -> dict[str, Any]:
        """The options that differ from the builder's defaults."""
        parameters = inspect.signature(self.configuration.variant.builder).parameters
        return {name: v for name, v in self.configuration.options.items() if parameters[name].default != v}


def report(
    builder: Builder, experiments: Sequence[Experiment] = (), options: Mapping[str, Any] | None = None, **known: Any
) -> int:
    """Prints a line a requirement, as they are found. Returns the exit code: 0, or 1 where one is violated."""
    require_tensorflow()
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    about = None
    for finding in check(builder, experiments, options, **known):
        if about is None:  # here, so that a mistake in the options or the data stands alone
            print(f"{getattr(builder, '__name__', type(builder).__name__)}: what the runner requires of a builder")
        if finding.about != about:
            about = finding.about
            print(f"\n{about}")
        print(finding, flush=True)
        counts[finding.status] += 1
    print(f"\n{', '.join(f'{count} {status}' for status, count in counts.items() if count)}")
    return 1 if counts["FAILED"] else 0


def check(
    builder: Builder,
    experiments: Sequence[Experiment] = (),
    options: Mapping[str, Any] | None = None,
    base: Path | None = None,
    largest: int | None = None,
) -> Iterator[Finding]:
    """Every requirement for the fullest options that the experiments use, and in short for their others.

    With `options`, for these alone. Models of more than `largest` parameters are built and called, no more.
    Raises UserError where the options are unknown or the experiments' own data cannot be read.
    """
    found = [_judged(name, partial(requirement, builder), "The function") for name, requirement in FUNCTION.items()]
    if any(finding.status == "FAILED" for finding in found):
        yield from found
        yield from (Finding("skipped", name, "the function must be right first", "The model") for name in MODEL)
        return
    prepare_process("cpu")
    first, *others = plan(builder, experiments, options, base)  # a mistake in the data is told before any finding
    yield from found
    yield from _in_full(first, largest)
    for case in others:
        yield _judged(_with(case), partial(_short, case), "Other options in use, in short; --set checks them in full")


def _judged(requirement: str, test: Callable[[], str], about: str) -> Finding:
    try:
        return Finding("ok", requirement, test(), about)
    except UnsupportedError as reason:
        return Finding("skipped", requirement, str(reason), about)
    except Exception as error:  # whatever a user's layers do, it is this requirement that fails
        said = str(error) if isinstance(error, UserError) else first_line(error)
        return Finding("FAILED", requirement, " ".join(said.split()), about)


def _in_full(case: Case, largest: int | None) -> Iterator[Finding]:
    blocked = ""
    for number, (name, requirement) in enumerate(MODEL.items()):
        if blocked:
            yield Finding("skipped", name, blocked, case.about)
            continue
        finding = _judged(name, partial(requirement, case), case.about)
        yield finding
        if finding.status == "FAILED" and number < CHEAP:
            blocked = "there is no model that fits the data"
        elif number == CHEAP - 1 and largest is not None and (size := case.model().count_params()) > largest:
            blocked = f"{size:,} parameters; above {largest:,} a model is only built and called"


def _short(case: Case) -> str:
    return ", ".join(requirement(case) for requirement in list(MODEL.values())[:CHEAP])


def _with(case: Case) -> str:
    changed = ", ".join(f"{name}={value}" for name, value in case.changed.items())
    return f"builds and fits the data with {changed or 'its defaults'}"


# --- what a builder is checked with --------------------------------------------------------------


def plan(
    builder: Builder, experiments: Sequence[Experiment], options: Mapping[str, Any] | None, base: Path | None
) -> list[Case]:
    """A case for each set of options in use and for the defaults, the fullest first; or one for `options`."""
    accepted = Variant("builder", builder).accepts()
    for name in options or {}:
        if name not in accepted:
            raise unknown(f"option of builder '{builder.__name__}'", name, accepted)
    used = [(e, c) for e in experiments for v in e.variants if v.builder is builder for c in _ends(e, v)]
    if not used:
        return [_guessed(builder, options or {})]
    experiment, first = used[0]
    plain = dataclasses.replace(first, variant=Variant("builder", builder, options or {}), values={})
    chosen = [(experiment, plain)] if options else [*used, (experiment, plain)]
    found: dict[str, Case] = {}
    for experiment, configuration in chosen:
        case = _in_use(experiment, configuration, base)
        found.setdefault(str((sorted(case.changed.items()), case.samples.x.shape, case.samples.classes)), case)
    return sorted(found.values(), key=lambda case: -len(case.changed))  # most layers in the one checked in full


def _ends(experiment: Experiment, variant: Variant) -> list[Configuration]:
    """The variant's configuration, or the first and the last of a sweep."""
    found = [configuration for configuration in experiment.configurations() if configuration.variant is variant]
    return [found[0], found[-1]]


def _in_use(experiment: Experiment, configuration: Configuration, base: Path | None) -> Case:
    shape, classes = datasets.shape(configuration.data, base)
    case = _case(configuration, shape, classes, "")
    options = ", ".join(f"{name}={value}" for name, value in case.changed.items())
    about = f"Data and protocol of experiment {experiment.name}: inputs {shape}, {classes} classes"
    return dataclasses.replace(case, about=f"{about}; {options or 'the defaults'}")


def _case(configuration: Configuration, shape: tuple[int, ...], classes: int, about: str) -> Case:
    generator = np.random.default_rng(SEED)
    # Around 0: where all inputs are positive, whole channels never meet their ReLU's bend, and a batch norm after
    # them leaves their bias a gradient of nothing but rounding, which no two engines share.
    x = generator.standard_normal((SAMPLES, *shape), dtype=np.float32)
    y = generator.permutation(np.arange(SAMPLES) % classes).astype(np.int32)
    # Of the data's declaration only the encoding of the labels is left: the samples stand for prepared ones.
    data = Data("random", test_fraction=0.2, labels=configuration.data.labels)
    return Case(dataclasses.replace(configuration, data=data), datasets.Samples(x, y, 0, classes), about)


def _guessed(builder: Builder, options: Mapping[str, Any]) -> Case:
    """A case for a builder that no experiment uses: the first known shape it accepts or its default, a fitting loss."""
    variant = Variant(builder.__name__, builder, options)
    known = list(dict.fromkeys((named.shape, named.classes) for named in datasets.DATASETS.values()))
    own = [inspect.signature(builder).parameters[name].default for name in ("input_shape", "classes")]
    if inspect.Parameter.empty not in own:
        known.append((tuple(own[0]), own[1]))  # last: what the networks of papers take is large
    for shape, classes in known:
        case = _case(_configuration(variant), shape, classes, "")
        try:
            outputs = np.asarray(case.model()(case.samples.x[:4], training=False))
        except Exception:  # not its shape; if none is, the requirements below say why
            continue
        head = 2 if outputs.shape[1:] == (1,) else classes
        about = f"No experiment uses it; the first known shape that it accepts: inputs {shape}, {head} classes"
        return _case(_configuration(variant, head == 2, _kind(outputs)), shape, head, about)
    shapes = ", ".join(str(shape) for shape, _ in known)
    about = f"No experiment uses it, and it accepts none of the known shapes: {shapes}; here {shape}"
    return _case(_configuration(variant), shape, classes, about)


def _configuration(variant: Variant, binary: bool = False, kind: str = "logits") -> Configuration:
    loss = {
        "class_name": "BinaryCrossentropy" if binary else "SparseCategoricalCrossentropy",
        "config": {"from_logits": kind == "logits"},
    }
    data = Data("random", test_fraction=0.2, labels="binary" if binary else "index")
    return Configuration(variant, {}, Protocol(epochs=1, loss=loss), data)


def _kind(outputs: np.ndarray) -> str:
    bounded = bool(np.all((outputs >= 0) & (outputs <= 1)))
    sums = outputs.shape[-1] == 1 or np.allclose(outputs.sum(-1), 1, atol=1e-3)
    return "probabilities" if bounded and sums else "logits"


# --- requirements of the function ------------------------------------------------------------------


def _plain_function(builder: Any) -> str:
    if not inspect.isfunction(builder):
        raise UserError(f"received {builder!r:.80}; define it with def")
    try:
        found = pickle.loads(pickle.dumps(builder))
    except Exception as error:
        raise UserError(
            f"'{builder.__qualname__}' cannot be sent to a worker process ({first_line(error)}); "
            "define it with def at the top level of a file"
        ) from error
    if found is not builder:
        raise UserError(f"'{builder.__qualname__}' is found as another function; give it a name of its own")
    return f"{builder.__module__}.{builder.__name__}" if "user_file_" not in builder.__module__ else builder.__name__


def _hashed(builder: Builder) -> str:
    try:
        return f"sha256 {source_hash(builder)[:12]}"
    except (OSError, SyntaxError) as error:
        raise UserError(f"its code cannot be read ({first_line(error)}); define it in a file") from error


def _keywords(builder: Builder) -> str:
    for name in ("input_shape", "classes"):
        parameter = inspect.signature(builder).parameters.get(name)
        if parameter is None or parameter.kind not in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise UserError(
                f"received {builder.__name__}{inspect.signature(builder)}; "
                f"write def {builder.__name__}(*, input_shape, classes, ...)"
            )
    return ""


def _options(builder: Builder) -> str:
    parameters = inspect.signature(builder).parameters.values()
    options = [p for p in parameters if p.name not in ("input_shape", "classes")]
    for option in options:
        if option.kind in (option.VAR_KEYWORD, option.VAR_POSITIONAL, option.POSITIONAL_ONLY):
            raise UserError(f"received {option}, whose names nobody can know; name each option with its default")
        if option.default is option.empty:
            raise UserError(f"'{option.name}' has no default; give it one")
        if option.name in FIELDS:
            raise UserError(f"'{option.name}' is the name of a protocol or data field; rename it")
        try:
            json.dumps(option.default, allow_nan=False)
        except (TypeError, ValueError):
            raise UserError(
                f"'{option.name}' has the default {option.default!r:.80}; "
                "allowed are text, finite numbers, true, false, none, lists, mappings"
            ) from None
    return ", ".join(str(option.replace(annotation=option.empty)) for option in options) or "it has none"


# --- requirements of the model ---------------------------------------------------------------------


def _returned(case: Case) -> str:
    model = case.model()
    if model.compiled:
        raise UserError("received a compiled model; leave compile to the protocol")
    before = len(model.variables)
    model(case.samples.x[:2], training=False)
    if len(model.variables) != before:
        raise UserError(
            f"{len(model.variables) - before} variables come only with the first call; "
            "call the model once in the builder, or make its layers' weights in build()"
        )
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    total = model.count_params()
    return f"{total:,} parameters{'' if trainable == total else f', {trainable:,} of them trainable'}"


def _fits(case: Case) -> str:
    model, (x, y) = case.model(), case.parts["train"]
    check_model(model, case.configuration, x[:2], y[:2], case.samples.classes)
    outputs = np.asarray(model(x[:8], training=False))
    loss = case.configuration.protocol.loss
    expected = "logits" if threshold(loss) == 0 else "probabilities"
    crossentropy = "crossentropy" in str(loss if isinstance(loss, str) else loss["class_name"]).lower()
    doubt = f", though the loss takes them for {expected}" if crossentropy and _kind(outputs) != expected else ""
    return f"outputs (None, {outputs.shape[-1]}) are {_kind(outputs)}{doubt}"


def _finite(case: Case) -> str:
    model = case.model()
    for mode, training in (("inference", False), ("training", True)):
        outputs = np.asarray(model(case.samples.x, training=training))
        if not np.isfinite(outputs).all():
            raise UserError(
                f"{int((~np.isfinite(outputs)).sum())} of {outputs.size} outputs are NaN or infinite in {mode} mode "
                "for standard normal inputs; look for a division, a logarithm or a root"
            )
    return ""


def _repeatable(case: Case) -> str:
    model, x = case.model(), case.samples.x[:8]
    before = _values(model.variables)
    one, other = (np.asarray(model(x, training=False)) for _ in range(2))
    if not np.array_equal(one, other):
        apart = np.abs(one - other).max()
        raise UserError(f"two calls differ by up to {apart:.2g}; draw nothing at random in inference mode")
    moved = _unequal(model.variables, before)
    if moved:
        raise UserError(f"inference changes {_listed(moved)}; update nothing where training is false")
    return ""


def _independent(case: Case) -> str:
    model, x = case.model(), case.samples.x[:8]
    others = np.concatenate([x[:1], 3 * case.samples.x[8:15]])
    one, other = (np.asarray(model(batch, training=False))[0] for batch in (x, others))
    if not np.allclose(one, other, rtol=1e-4, atol=1e-5):
        raise UserError(
            f"among other samples it differs by {np.abs(one - other).max():.2g}; "
            "take no statistics over the batch in inference mode"
        )
    return ""


def _fresh(case: Case) -> str:
    one, same, other = case.model(), case.model(), case.model(SEED + 1)
    if _drawing(one) != _drawing(same):
        raise UserError("two calls with one seed return different networks; draw and count nothing outside the builder")
    if differing := _unequal(one.weights, _values(same.weights)):
        raise UserError(f"one seed starts {_listed(differing)} in two ways; draw from Keras's initializers alone")
    if _drawing(one) != _drawing(other):
        return "it decides more of the network as well"
    redrawn = _unequal(one.trainable_variables, _values(other.trainable_variables))
    if one.trainable_variables and not redrawn:
        raise UserError("another seed starts with the same weights; fix no seed and load no weights in the builder")
    fixed = [v.path for v in one.trainable_variables if v.path not in redrawn and np.ptp(v.numpy()) > 0]
    return f"but {_listed(fixed)} start the same from every seed" if fixed else ""


def _apart(case: Case) -> str:
    settings = _settings()
    try:
        one = fresh_model(case.configuration, case.samples.x.shape[1:], case.samples.classes, SEED)
        changed = {name: value for name, value in _settings().items() if value != settings[name]}
    finally:
        _restore(settings)
    other = case.model(SEED + 1)
    shared = {id(v) for v in one.variables} & {id(v) for v in other.variables}
    if shared:
        names = [v.path for v in one.variables if id(v) in shared]
        raise UserError(f"two calls share {_listed(names)}; make every layer anew inside the function")
    if changed:
        raise UserError(
            f"it sets Keras's {', '.join(f'{name} to {value}' for name, value in changed.items())} for "
            "everything that comes after; give the dtype or format to the layers"
        )
    again = case.model()
    if _drawing(again) != _drawing(one):
        raise UserError("a later call returns another network; keep nothing outside the function")
    return ""


def _settings() -> dict[str, Any]:
    keras = import_keras()
    return {
        "floatx": keras.config.floatx(),
        "dtype_policy": keras.config.dtype_policy().name,
        "image_data_format": keras.config.image_data_format(),
        "epsilon": keras.config.epsilon(),
    }


def _restore(settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        getattr(import_keras().config, f"set_{name}")(value)


def _drawing(model: Any) -> str:
    shapes = str([tuple(variable.shape) for variable in model.variables])
    try:
        return blueprint(model) + shapes
    except Exception:  # a subclass may not know its own configuration
        return shapes


def _gradients(case: Case) -> str:
    model = compile_model(case.model(), case.configuration)
    variables = model.trainable_variables
    if not variables:
        raise UserError("the model has no trainable variable; nothing could be learned")
    gradients = _gradients_of(model, *case.parts["train"])
    without = [v.path for v, gradient in zip(variables, gradients, strict=True) if gradient is None]
    if without:
        raise UserError(
            f"no gradient reaches {_listed(without)}; connect them to the output, or make them not trainable"
        )
    return f"{len(variables)} variables"


def _gradients_of(model: Any, x: np.ndarray, y: np.ndarray) -> list[Any]:
    """The gradient of the loss for each trainable variable of a compiled model, None where there is none."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    return list(tape.gradient(loss, [variable.value for variable in model.trainable_variables]))


def _learns(case: Case) -> str:
    losses = case.trained.losses
    for number, loss in enumerate(losses, 1):
        if not np.isfinite(loss):
            raise UserError(
                f"the loss became {loss} in step {number} of {STEPS}; "
                "lower the learning rate, or see whether the loss takes logits or probabilities"
            )
    return f"from {losses[0]:.3g} to {losses[-1]:.3g} on random labels"


def _same_training(case: Case) -> str:
    trained = case.trained
    if trained.unsupported:
        raise UnsupportedError(f"it would be trained by fit, which is slower: {trained.unsupported}")
    if not np.isfinite(trained.losses).all():
        raise UnsupportedError("its training is not finite")
    if trained.differences:
        raise UserError(f"{_listed(trained.differences)}; train it with --engine fit, and report it")
    return f"after {STEPS} steps every variable within {TOLERANCE:g}"


def _saved(case: Case) -> str:
    one, other, x = case.model(), case.model(SEED + 1), case.samples.x[:8]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.weights.h5"
        one.save_weights(path)
        other.load_weights(path)
    if lost := _unequal(one.weights, _values(other.weights)):
        raise UserError(f"the file does not bring back {_listed(lost)}; keep layers and weights as attributes")
    if not np.array_equal(one(x, training=False), other(x, training=False)):
        raise UserError("the outputs differ after loading; keep what they depend on in the model's variables")
    return ""


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [np.array(variable.numpy()) for variable in variables]


def _unequal(variables: Sequence[Any], values: Sequence[np.ndarray]) -> list[str]:
    """The paths of the variables that do not hold exactly these values."""
    pairs = zip(variables, values, strict=True)
    return [variable.path for variable, value in pairs if not np.array_equal(variable.numpy(), value)]


def _named(case: Case) -> str:
    if "batch_norm" not in case.configuration.protocol.record:
        return "none is recorded"
    kind = import_keras().layers.BatchNormalization
    models = case.model(), case.model(SEED + 1)
    one, other = ([layer.name for layer in model._flatten_layers() if isinstance(layer, kind)] for model in models)
    if one != other or len(set(one)) < len(one):
        raise UserError(f"received {_listed(one)}, then {_listed(other)}; give each a name of its own with name=...")
    return _listed(one)


def _listed(names: Sequence[str]) -> str:
    """Up to three of them, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


FUNCTION: dict[str, Callable[[Any], str]] = {
    "a plain function, which worker processes find by its name": _plain_function,
    "its code can be hashed": _hashed,
    "it takes input_shape and classes by keyword": _keywords,
    "its options have plain defaults and names of their own": _options,
}
MODEL: dict[str, Callable[[Case], str]] = {
    "it returns an uncompiled keras.Model, built": _returned,
    "outputs and loss fit the data": _fits,
    "outputs are finite in inference and in training mode": _finite,
    "inference repeats exactly and changes nothing": _repeatable,
    "a sample's output does not depend on the rest of its batch": _independent,
    "a seed decides the starting weights, another seed gives others": _fresh,
    "calls share no variables and leave nothing behind": _apart,
    "every trainable variable gets a gradient": _gradients,
    f"{STEPS} training steps keep the loss finite": _learns,
    "the graph engine trains what fit trains": _same_training,
    "weights survive a .weights.h5 file": _saved,
    "batch-norm layers whose parameters are recorded have fixed names": _named,
}
CHEAP = 2
"How many of the model's requirements come first: without them no other can be checked, and they cost little."


# --- two engines side by side ------------------------------------------------------------------------


@dataclass(frozen=True)
class Trained:
    """The first steps of `fit`, and in words where the graph engine's differ from them."""

    losses: list[float]
    differences: list[str]
    unsupported: str = ""
    "Why the graph engine cannot train it."


def _trained(case: Case) -> Trained:
    unit = Trainer(case.samples).check(Unit(0, case.configuration, ((1, SEED),), "auto"))
    reason = unit.reason
    if not reason:
        try:
            return train_both(case.configuration, case.samples.classes, case.parts, SEED)
        except UnsupportedError as error:
            reason = str(error)
    return dataclasses.replace(
        train_both(case.configuration, case.samples.classes, case.parts, SEED, graph=False), unsupported=reason
    )


def train_both(configuration: Configuration, classes: int, parts: Parts, seed: int, *, graph: bool = True) -> Trained:
    """STEPS steps with `fit` and, unless told otherwise, with the graph engine, compared after each.

    Raises UnsupportedError where the graph engine cannot train the model.
    """
    from trials.engines.fit import FitSession
    from trials.engines.graph import GraphSession

    sessions: list[Any] = [kind(configuration, classes) for kind in ((FitSession, GraphSession)[: 1 + graph])]
    batches = _batches(configuration.protocol, parts, seed)
    excepted = _without_gradient(configuration, classes, batches[0], seed)
    for session in sessions:
        session.start(seed, batches[0], ())
    fit, *others = sessions
    differences = [f"at the start {text}" for other in others for text in _differences(fit.model, other.model, 0)]
    losses = []
    for number, batch in enumerate(batches, 1):
        order = np.arange(len(batch["train"][0]), dtype=np.int32)
        for session in sessions:
            session.load(batch)
        losses.append(fit.train_epoch(order))
        for other in others:
            if not abs((loss := other.train_epoch(order)) - losses[-1]) <= TOLERANCE * abs(losses[-1]):
                differences.append(f"after step {number} the loss is {loss:.6g} instead of {losses[-1]:.6g}")
            found = _differences(fit.model, other.model, TOLERANCE, excepted)
            differences += [f"after step {number} {text}" for text in found]
    return Trained(losses, differences)


def _batches(protocol: Protocol, parts: Parts, seed: int) -> list[Parts]:
    samples = len(parts["train"][0])
    size = min(protocol.batch_size, samples // STEPS)
    order = batch_order(seed, 1, samples)
    x, y = parts["train"]
    chosen = [order[step * size :][:size] for step in range(STEPS)]
    return [{**parts, "train": (x[indices], y[indices])} for indices in chosen]


def _differences(expected: Any, received: Any, tolerance: float, excepted: Collection[int] = ()) -> list[str]:
    """In words, the variables further apart than `tolerance` (0: not equal); states of dropout are to be equal."""
    found = []
    for place, (ours, theirs) in enumerate(zip(received.variables, expected.variables, strict=True)):
        exact = tolerance == 0 or "seed_generator" in theirs.path
        apart = distance(theirs.numpy(), ours.numpy())
        if exact and apart != 0:
            found.append(f"{theirs.path} is not equal")
        elif not exact and place not in excepted and not apart < tolerance:
            found.append(f"{theirs.path} is {apart:.2g} off (L2, relative)")
    return found


def _without_gradient(configuration: Configuration, classes: int, batch: Parts, seed: int) -> set[int]:
    """The places, among a model's variables, of parameters whose true gradient is zero.

    A bias that feeds a batch norm is one, and a shift whose effect a later batch norm takes out. What
    is computed for them is rounding, which an optimizer makes steps of that no two engines share.
    """
    x, y = batch["train"]
    model = compile_model(fresh_model(configuration, x.shape[1:], classes, seed), configuration)
    gradients = [0.0 if g is None else float(np.linalg.norm(np.asarray(g))) for g in _gradients_of(model, x, y)]
    pairs = zip(model.trainable_variables, gradients, strict=True)
    nothing = {id(variable) for variable, size in pairs if size < ROUNDING * max(gradients)}
    return {place for place, variable in enumerate(model.variables) if id(variable) in nothing}


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Relative (L2); NaN where either is not finite."""
    scale = max(float(np.linalg.norm(one)), 1e-12)
    return float(np.linalg.norm(np.asarray(one, np.float64) - np.asarray(other, np.float64))) / scale
