"""What an experienced Keras user would write: an epoch an execution, one single-threaded process a core."""

from benchmarks.contenders import keras_loop, lanes
from trials.experiment import Configuration
from trials.splits import Parts


def trial(configuration: Configuration, parts: Parts, classes: int, seed: int) -> float:
    steps = -(-len(parts["train"][0]) // configuration.protocol.batch_size)
    return keras_loop.trial(configuration, parts, classes, seed, steps_per_execution=steps)


def single_threaded(parts: Parts) -> Parts:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return parts


if __name__ == "__main__":
    lanes.run(trial, single_threaded, parallel=True)
