"""The runner: trains every configuration of an experiment from N recorded seeds and keeps what it saw."""

__version__ = "0.1.0"
