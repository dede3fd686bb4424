"""Results folders as text, and one that has everything a page can show."""

import json

import pytest

from tests.page.full_tables import CONCLUSION, FULL, QUESTION, RUN
from tests.page.parsed import Page
from tests.plots.conftest import folder
from trials import page

__all__ = ["folder"]


@pytest.fixture(scope="session")
def full_folder(tmp_path_factory):
    """A folder with every table, its report and an index above it."""
    results = tmp_path_factory.mktemp("results")
    path = results / "full"
    path.mkdir()
    for table, lines in FULL.items():
        (path / f"{table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (path / "run.json").write_text(json.dumps(RUN), encoding="utf-8")
    page.write(path, QUESTION, CONCLUSION)
    page.write_index(results)
    return path


@pytest.fixture(scope="session")
def full_page(full_folder):
    return Page((full_folder / "report.html").read_text(encoding="utf-8"))
