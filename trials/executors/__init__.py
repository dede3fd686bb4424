"""Executors: where engines run."""

EXECUTORS = {
    "inline": "this process, one trial after another",
    "processes": "one single-threaded worker process a core (default for more than one trial)",
    "ray": "a Ray cluster that exists already (docs/cluster.md)",
}
