"""What an experienced PyTorch user would write: one single-threaded process a core, fused Adam, channels last."""

from typing import Any

import torch

from benchmarks.contenders import lanes, torch_loop
from trials.experiment import Configuration
from trials.splits import Parts


def trial(configuration: Configuration, parts: Any, classes: int, seed: int) -> float:
    return torch_loop.trial(configuration, parts, classes, seed, tuned=True)


def single_threaded(parts: Parts) -> Any:
    torch.set_num_threads(1)
    return {
        name: (x.to(memory_format=torch.channels_last) if x.ndim == 4 else x, y)
        for name, (x, y) in torch_loop.tensors(parts).items()
    }


if __name__ == "__main__":
    lanes.run(trial, single_threaded, parallel=True)
