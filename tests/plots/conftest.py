"""Results folders as text, and figures as they are drawn."""

import pytest


@pytest.fixture
def folder(tmp_path):
    """Writes tables, given as lines, into a results folder."""

    def write(tables, name="results", **more):
        path = tmp_path / name
        path.mkdir(exist_ok=True)
        for table, lines in {**tables, **more}.items():
            (path / f"{table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
