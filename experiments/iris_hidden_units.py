"""S003, question 4: how does the accuracy on Iris change with the number of hidden units?

The source fits 10 widths x 10 trials, without seeds, on one fixed split, and publishes a single
average over all 100 fits. The test set holds 30 flowers, so that one accuracy moves in steps of
3.3 points; 40 updates leave narrow networks far from trained, and much of the effect of width
is speed of training.
"""

from models import mlp
from trials.experiment import Data, Experiment, Protocol, Published, Variant

EXPERIMENT = Experiment(
    name="iris_hidden_units",
    question="How does the test accuracy of a two-hidden-layer MLP on Iris change with its number of hidden units?",
    source="S003-Q4",
    data=Data("iris", test_fraction=0.2, split_seed=42, labels="one_hot"),
    variants=(Variant("mlp", mlp),),
    sweep={"units": tuple(range(10, 101, 10))},
    protocol=Protocol(epochs=10, loss="categorical_crossentropy", optimizer="adam", batch_size=32, record=("train",)),
    trials=10,
    published=(
        Published(
            value=0.7763333275541663,  # 2329 right of 3000
            runs=10,
            source="S003-Q4",
            note="the source publishes only the mean over its 10 widths x 10 unseeded fits",
        ),
    ),
)
