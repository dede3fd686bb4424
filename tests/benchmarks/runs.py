"""Measured runs made up for the tests."""

from benchmarks.measure import Run


def run(
    contender,
    repetition=1,
    *,
    work="iris",
    seconds=10.0,
    to_tables=9.0,
    busy=8.0,
    processes=1,
    samples=800,
    accuracies=None,
):
    accuracies = accuracies or ((0.5, 0.7), (0.8, 0.8))
    return Run(work, contender, repetition, processes, 2, 1, samples, seconds, to_tables, busy, accuracies)
