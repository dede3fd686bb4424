"""What is asked: experiments, variants, protocols and published figures, as plain declarations."""

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trials.declared_values import file_name, fraction, identifier, numbers, plain_values, positive, require
from trials.errors import unknown

SPLITS = ("train", "validation", "test")
SELECTIONS = ("last", "validation_accuracy", "validation_loss")
METRICS = (
    *("train_accuracy", "train_loss"),
    *("validation_accuracy", "validation_loss"),
    *("test_accuracy", "test_loss"),
)
BATCH_LOSS = "test_loss_over_batches"
"A metric of epochs alone: the plain mean of the test batches' mean losses, however small the last batch."
RECORDS = (*SPLITS, BATCH_LOSS, "batch_norm")
"What a protocol can have recorded."
RESERVED = {
    *("experiment", "variant", "trial", "seed", "status", "epochs", "best_epoch", "epoch", "parameters", "error"),
    *("n", "failed", "engine", "seconds", "finished", "host", "variants"),
    *METRICS,
}
"Columns of the tables, and a family of comparisons: no swept hyperparameter can have one of these names."
LABELS = ("index", "one_hot", "binary")
Builder = Callable[..., Any]
Identifier = str | Mapping[str, Any]


@dataclass(frozen=True)
class Data:
    """Which data, and everything that is done to it before a network sees it.

    `source` is a name of `trials.datasets`, the path of a `.csv` or `.npz` file, or a function
    without arguments that returns `(x, y)` or `((x_train, y_train), (x_test, y_test))`.
    Steps are applied in the order of the fields: resize (Pillow's bilinear, in the data's own
    type), divide by `scale`, split, then subtract `mean` and divide by `std` (a number, or one a
    channel; `"train"` computes them on the training part alone; a feature or channel that is constant
    there is not divided). A training part that lacks a class of the data is an error, except where every
    trial draws its own split: there a rare class may be missing by chance.
    """

    source: str | Callable[[], Any]
    size: tuple[int, int] | None = None
    scale: float | None = None
    mean: float | tuple[float, ...] | str | None = None
    std: float | tuple[float, ...] | str | None = None
    test_fraction: float | None = None
    validation_fraction: float | None = None
    stratified: bool = False
    split_seed: int | None = 42
    "None: every trial draws its own split from its own seed."
    labels: str = "index"
    label: str | None = None
    "The label's column in a CSV file."
    features: tuple[str, ...] | None = None
    "The feature columns in a CSV file; None: all but the label."

    def __post_init__(self) -> None:
        require(
            inspect.isfunction(self.source) or isinstance(self.source, str),
            f"Data.source must be a name, a file or a function. Received: {self.source!r:.120}.",
        )
        require(
            self.size is None or (isinstance(self.size, tuple) and len(self.size) == 2),
            f"Data.size must be (height, width). Received: {self.size!r}.",
        )
        for length in self.size or ():
            positive("Data.size", length)
        require(self.labels in LABELS, f"Data.labels must be one of {', '.join(LABELS)}. Received: {self.labels!r}.")
        require(
            (self.mean is None) == (self.std is None),
            f"Data.mean and Data.std go together: set both. Received: mean={self.mean!r}, std={self.std!r}.",
        )
        for name, kind in (("mean", "a number"), ("std", "a number above 0")):
            given = getattr(self, name)
            require(
                given is None or given == "train" or numbers(given, above_zero=name == "std"),
                f"Data.{name} must be {kind}, one a channel, or 'train'. Received: {given!r}.",
            )
        require(
            self.scale is None or (not isinstance(self.scale, tuple) and numbers(self.scale, above_zero=True)),
            f"Data.scale must be a number above 0. Received: {self.scale!r}.",
        )
        require(
            isinstance(self.stratified, bool),
            f"Data.stratified must be true or false. Received: {self.stratified!r}.",
        )
        require(
            self.split_seed is None
            or (
                isinstance(self.split_seed, int)
                and not isinstance(self.split_seed, bool)
                and 0 <= self.split_seed < 2**32
            ),
            f"Data.split_seed must be None or a whole number from 0 to 2**32 - 1. Received: {self.split_seed!r}.",
        )
        for name in ("test_fraction", "validation_fraction"):
            if getattr(self, name) is not None:
                fraction(f"Data.{name}", getattr(self, name))

    @property
    def resampled(self) -> bool:
        """Whether every trial has a split of its own."""
        return self.split_seed is None


DATA_NAMES = ("validation_fraction", "stratified", "split_seed", "mean", "std")
"Fields of Data that a variant or the command line may change: what is read and tested on stays the experiment's."


@dataclass(frozen=True)
class Protocol:
    """How a variant is trained: plain values only, so that it can be hashed, sent and compared.

    `optimizer` and `loss` are Keras identifiers or `{"class_name": ..., "config": ...}`.
    `record` names the splits that are evaluated, in inference mode, after every epoch; with
    `test_loss_over_batches` also the unweighted mean of the test batches' losses, as some documents
    compute it, and with `batch_norm` the batch-norm parameters of the reported weights.
    `select` says which epoch's weights are reported; `patience` stops a trial after so many
    epochs without improvement of that validation figure. `evaluate_every` makes the reported test
    figures the mean of evaluations after every so many epochs of one trajectory.

    As in Keras's fit, a batch larger than the training part is the whole of it, and the last batch of an
    epoch holds what is left, be it one sample: a batch norm then sees no variance and gives its beta.
    A trial whose loss becomes NaN or infinite, in training, validation or test, ends as `diverged`; no
    figure of it is averaged, whatever its earlier epochs were.
    """

    epochs: int
    loss: Identifier
    optimizer: Identifier = "adam"
    learning_rate: float | Mapping[str, Any] | None = None
    "Takes precedence over the optimizer's own."
    batch_size: int = 32
    shuffle: bool = True
    record: tuple[str, ...] = ()
    select: str = "last"
    patience: int | None = None
    class_weight: Mapping[int, float] | None = None
    evaluate_every: int | None = None

    def __post_init__(self) -> None:
        positive("epochs", self.epochs)
        positive("batch_size", self.batch_size)
        identifier("optimizer", self.optimizer)
        identifier("loss", self.loss)
        plain_values("learning_rate", self.learning_rate)
        plain_values("class_weight", self.class_weight)
        require(isinstance(self.shuffle, bool), f"shuffle must be true or false. Received: {self.shuffle!r}.")
        for name in self.record:
            if name not in RECORDS:
                raise unknown("name in Protocol.record", name, RECORDS)
        if self.select not in SELECTIONS:
            raise unknown("Protocol.select", str(self.select), SELECTIONS)
        if self.patience is not None:
            positive("patience", self.patience)
            require(
                self.select != "last",
                "patience needs select='validation_accuracy' or 'validation_loss'. Received: 'last'.",
            )
        if self.evaluate_every is not None:
            positive("evaluate_every", self.evaluate_every)
            require(
                self.select == "last",
                f"evaluate_every reports a trajectory: it needs select='last'. Received: {self.select!r}.",
            )

    def steps(self, samples: int) -> int:
        """Updates of the weights in a whole training on so many samples, unless it stops early."""
        return self.epochs * -(-samples // self.batch_size)

    def evaluates_test(self, epoch: int) -> bool:
        """Whether the test figures of this epoch are kept: of a recorded curve, a trajectory, or its last weights."""
        last = self.evaluate_every is not None and epoch == self.epochs
        return "test" in self.record or BATCH_LOSS in self.record or epoch in self.trajectory() or last

    def trajectory(self) -> tuple[int, ...]:
        """The epochs whose test evaluations are averaged; empty where the selected weights are measured once."""
        if self.evaluate_every is None:
            return ()
        return tuple(range(self.evaluate_every, self.epochs + 1, self.evaluate_every)) or (self.epochs,)


PROTOCOL_NAMES = ("epochs", "batch_size", "shuffle", "optimizer", "loss", "select", "patience", "learning_rate")
FIELDS = (*PROTOCOL_NAMES, *DATA_NAMES)
"Names that `--set` and a sweep accept beside the builders' options."


@dataclass(frozen=True)
class Variant:
    """A builder with fixed options, under a name.

    `protocol` and `data` hold the fields in which this variant's training and division of the data
    differ from the experiment's.
    """

    name: str
    builder: Builder
    options: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        file_name("A variant", self.name, "_.+-")
        require(
            inspect.isfunction(self.builder),
            f"Variant '{self.name}': the builder must be a function. Received: {self.builder!r}.",
        )
        for name in self.accepts():
            require(
                name not in FIELDS,
                f"Variant '{self.name}': the builder's option '{name}' has the name of a protocol or data field. "
                "Rename it.",
            )
        for name, value in self.options.items():
            if name not in self.accepts():
                raise unknown(f"option of variant '{self.name}'", name, self.accepts())
            plain_values(f"Option '{name}' of variant '{self.name}'", value)
        allowed = tuple(declared.name for declared in dataclasses.fields(Protocol))
        for what, given, names in (("protocol", self.protocol, allowed), ("data", self.data, DATA_NAMES)):
            for name in given:
                if name not in names:
                    raise unknown(f"name in the {what} of variant '{self.name}'", name, names)

    def accepts(self) -> tuple[str, ...]:
        """The options the builder takes beside `input_shape` and `classes`."""
        parameters = inspect.signature(self.builder).parameters.values()
        named = (p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))
        return tuple(name for name in named if name not in ("input_shape", "classes"))


def check_options(builder: Builder, options: Mapping[str, Any]) -> None:
    """Raises UserError for names that are no options of the builder."""
    accepted = Variant("builder", builder).accepts()
    for name in options:
        if name not in accepted:
            raise unknown(f"option of builder '{builder.__name__}'", name, accepted)


@dataclass(frozen=True)
class Published:
    """A figure from a source document, with the number of runs behind each configuration it averages.

    `where` restricts it to configurations (a variant, a swept value); empty: the mean over all. With
    an `epoch` in it the figure is one of a learning curve. `factor` turns the measured figure into
    what the source computed. `unlike` says why it must not be compared with this experiment, where
    that is so.
    """

    value: float
    runs: int
    source: str
    metric: str = "test_accuracy"
    where: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    unlike: str = ""
    factor: float = 1.0

    def __post_init__(self) -> None:
        positive("Published.runs", self.runs)
        known = (*METRICS, BATCH_LOSS) if "epoch" in self.where else METRICS
        if self.metric not in known:
            raise unknown("metric in Published", self.metric, known)


@dataclass(frozen=True)
class Configuration:
    """One point of an experiment: a variant with one value for each swept hyperparameter."""

    variant: Variant
    values: Mapping[str, Any]
    protocol: Protocol
    data: Data

    @property
    def options(self) -> dict[str, Any]:
        """What the builder is called with, beside `input_shape` and `classes`."""
        swept = {name: value for name, value in self.values.items() if name in self.variant.accepts()}
        return {**self.variant.options, **swept}

    @property
    def label(self) -> str:
        """The configuration in a few words: `mlp units=10`."""
        return " ".join([self.variant.name, *(f"{name}={value}" for name, value in self.values.items())])


@dataclass(frozen=True)
class Experiment:
    """A question: data, variants, sweep, protocol, number of trials, published figures."""

    name: str
    question: str
    data: Data
    variants: tuple[Variant, ...]
    protocol: Protocol
    sweep: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    trials: int = 10
    source: str = ""
    published: tuple[Published, ...] = ()

    def __post_init__(self) -> None:
        file_name("An experiment", self.name, "_.-")
        positive("trials", self.trials)
        require(bool(self.variants), f"Experiment '{self.name}' has no variants.\nDeclare at least one.")
        names = [variant.name for variant in self.variants]
        require(len(set(names)) == len(names), f"Experiment '{self.name}': variant names repeat: {', '.join(names)}.")
        for name, values in self.sweep.items():
            self._check_swept(name, values)
        for figure in self.published:
            for name in figure.where:
                if name not in ("variant", "epoch", *self.sweep):
                    raise unknown("name in Published.where", name, ("variant", "epoch", *self.sweep))
        for configuration in self.configurations():
            protocol = configuration.protocol
            validated = "validation" in protocol.record or protocol.select != "last"
            require(
                not validated or configuration.data.validation_fraction is not None,
                f"Experiment '{self.name}' uses a validation split, but its data declares no validation_fraction.\n"
                "Declare one, as Data(..., validation_fraction=0.1).",
            )

    def _check_swept(self, name: str, values: tuple[Any, ...]) -> None:
        if name not in self.settable():
            raise unknown("option", name, self.settable())
        require(
            name not in RESERVED,
            f"'{name}' cannot be swept: the tables use that name for something else.\nGive it one value.",
        )
        require(len(values) > 0, f"Option '{name}' has no values.\nGive some, or do not sweep it.")
        plain_values(f"Option '{name}'", values)
        repeated = [value for index, value in enumerate(values) if value in values[:index]]
        require(not repeated, f"Option '{name}' has a value twice: {repeated[:1]}.")

    def settable(self) -> tuple[str, ...]:
        """Names that `--set` and a sweep accept: builder options, fields of the protocol and of the data."""
        options = itertools.chain.from_iterable(variant.accepts() for variant in self.variants)
        return tuple(dict.fromkeys([*options, *FIELDS]))

    def configurations(self) -> tuple[Configuration, ...]:
        """All configurations in canonical order: variants, then the sweep's values, last name fastest."""
        found = []
        for variant in self.variants:
            names = [name for name in self.sweep if name in variant.accepts() or name in FIELDS]
            for values in itertools.product(*(self.sweep[name] for name in names)):
                found.append(self.configuration(variant, dict(zip(names, values, strict=True))))
        return tuple(found)

    def configuration(self, variant: Variant, values: Mapping[str, Any]) -> Configuration:
        """The variant at one value for each swept hyperparameter that it has."""
        changes = {**variant.protocol, **{name: values[name] for name in values if name in PROTOCOL_NAMES}}
        divided = {**variant.data, **{name: values[name] for name in values if name in DATA_NAMES}}
        protocol, data = dataclasses.replace(self.protocol, **changes), dataclasses.replace(self.data, **divided)
        return Configuration(variant, values, protocol, data)

    def seeds(self, first: int) -> Iterator[tuple[int, int]]:
        """(trial, seed) pairs: trial i of every configuration has seed `first` + i - 1."""
        return ((trial, first + trial - 1) for trial in range(1, self.trials + 1))
