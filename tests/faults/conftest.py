"""Films for runs that are to be disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import write_film
from tests.faults.harness import give_many_names, run, table

N_FILMS = 60


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for seed in range(N_FILMS):
        write_film(folder / f"{seed:03}.png", seed, height=210, width=210)
    return folder


@pytest.fixture(scope="session")
def many_films(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same films under 400 names."""
    return give_many_names(films, tmp_path_factory.mktemp("many"), 400)


@pytest.fixture(scope="session")
def undisturbed(films: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The table of a run that nothing disturbs."""
    out = tmp_path_factory.mktemp("whole") / "out"
    code, said = run(films, out)
    assert code == 0, said
    return table(out)
