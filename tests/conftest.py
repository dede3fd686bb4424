"""What all tests share: the project on the path, one thread in TensorFlow, real data where it is laid out."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

needs_data = pytest.mark.skipif("TRIALS_DATA_DIR" not in os.environ, reason="TRIALS_DATA_DIR is not set")


@pytest.fixture(scope="session")
def keras():
    """Keras in this process, with the one thread a trial has everywhere."""
    from trials.environment import import_keras, prepare_process

    prepare_process("cpu")
    return import_keras()


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command line in a folder of its own."""

    def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "run_trials.py"), *map(str, words)],
            cwd=tmp_path,
            check=False,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run
