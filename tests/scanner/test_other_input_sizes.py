"""A bundle may take films of another size than the shipped one; its heat maps then have another number of cells."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.records import heat_side
from cxrscan.scanner.runs.journal import Journal, stored_info
from cxrscan.scanner.viewer.finished_run import film_picture, open_run
from cxrscan.scanner.viewer.pictures import Viewport, render_film, render_overlay
from tests.bench.scale_bundle import write_averager
from tests.builders import write_film
from tests.scanner.network.test_network import SMALL


@pytest.fixture(scope="module", params=[32, 100, 320])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_averager(tmp_path_factory.mktemp("bundles") / str(request.param), request.param)


def test_model_verify_takes_a_film_to_a_report(bundle: Path) -> None:
    done = CliRunner().invoke(cxrscan, ["model", "verify", str(bundle)], catch_exceptions=False)
    assert (done.exit_code, ": OK." in done.stdout) == (0, True)


def test_a_run_ends_in_a_report_whose_heat_maps_have_the_models_size(bundle: Path, tmp_path: Path) -> None:
    side = heat_side(int(bundle.name))
    for seed in range(2):
        write_film(tmp_path / f"films/{seed}.png", seed, height=500, width=600)
    arguments = ["run", str(tmp_path / "films"), "-o", str(tmp_path / "out"), "--model", str(bundle), "--gate", "off"]
    done = CliRunner().invoke(cxrscan, [*arguments, "-q"], catch_exceptions=False)
    assert done.exit_code == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    (rows,) = re.findall(r'<script type="application/json" class="rows">(.*?)</script>', page)
    assert [len(base64.b64decode(row[-2])) for row in json.loads(rows)] == [side**2] * 2
    run = open_run(tmp_path / "out")
    for film in run.films:
        picture, _ = film_picture(run, film)
        assert picture is not None
        assert film.result.heat_map is not None
        assert film.result.heat_map.side == side
        grey = render_film(picture.pixels, Viewport())
        overlay = render_overlay(grey, film.result.heat_map, run.run.model.heat_scale, Viewport(), 1.0)
        assert np.any(overlay != grey[..., np.newaxis])
    with Journal(tmp_path / "out") as journal:
        assert stored_info(journal).exit_reason == "finished"


@pytest.mark.parametrize("input_px", [32, 100, 320])
def test_the_real_network_has_as_many_cells(input_px: int) -> None:
    from dataclasses import replace

    from cxrscan.scanner.network.network import BACKBONE, build_network

    network = build_network(replace(SMALL, input_px=input_px))
    assert network.get_layer(BACKBONE).output.shape[1:3] == (heat_side(input_px),) * 2
