"""The progress bar: trials done, epochs on long trials, time left."""

import sys

from tqdm import tqdm

FORMAT = "{desc}, epochs {n}/{total} |{bar}| {percentage:3.0f} %  {elapsed} gone, {remaining} left"


class Progress:
    """Counts in epochs, so that the time left is right within long trials too."""

    def __init__(self, quiet: bool) -> None:
        self.trials = self.done = 0
        interactive = sys.stderr.isatty()
        self.bar = tqdm(
            total=0,
            delay=1e-3,  # not before it is known how many trials there are
            disable=quiet,
            bar_format=FORMAT,
            mininterval=0.2 if interactive else 15,
            maxinterval=1 if interactive else 30,
            dynamic_ncols=interactive,
            file=sys.stderr,
        )

    def add(self, trials: int, epochs: int) -> None:
        """So many trials, of so many epochs in all, are still to come."""
        self.trials += trials
        self.bar.total = (self.bar.total or 0) + epochs
        self._label()
        self.bar.refresh()

    def epochs(self, count: int) -> None:
        """So many more epochs are trained."""
        self.bar.update(min(count, int(self.bar.total or 0) - self.bar.n))  # a dead worker's epochs count once

    def trial(self, untrained: int) -> None:
        """A trial has ended, so many epochs early."""
        self.done += 1
        self.bar.total = (self.bar.total or 0) - untrained
        self.bar.n = min(self.bar.n, self.bar.total)  # where a dead worker's epochs had counted for those untrained
        self._label()

    def _label(self) -> None:
        self.bar.set_description_str(f"trials {self.done}/{self.trials}", refresh=False)

    def write(self, line: str) -> None:
        """A line above the bar."""
        self.bar.write(line, file=sys.stderr)

    def close(self) -> None:
        self._label()
        self.bar.refresh()
        self.bar.close()
