"""Several devices and half precision. There is no GPU here: TensorFlow takes logical CPUs for it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cxrscan.training.config import TrainConfig
from cxrscan.training.dataset import find_films, load_films
from cxrscan.training.films import LoadedFilms
from cxrscan.training.fit import EpochLog, Progress
from cxrscan.training.run import _fit
from cxrscan.training.splits import split_by_patient
from tests.training.films import TINY, write_data

CONFIG = replace(TINY, dropout=0.0, ema=0.9, mix=0.5, stray_heat=0.5, outer_heat=0.3, missing_heat=0.3)
ON_TWO_DEVICES = """
import json, sys
from pathlib import Path
import tensorflow as tf

cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
Strategy, n_replicas = tf.distribute.MirroredStrategy, []
tf.distribute.MirroredStrategy = lambda: Strategy(["CPU:0", "CPU:1"])
tf.config.list_physical_devices = lambda kind=None: cpus * 2

from tests.training.test_devices import load, losses, trained

on_step = lambda *_: n_replicas.append(tf.distribute.get_strategy().num_replicas_in_sync)
logs = trained(load(Path(sys.argv[1])), Path(sys.argv[2]), on_step=on_step)
print(json.dumps([n_replicas, losses(logs)]))
"""


def load(data: Path) -> LoadedFilms:
    return load_films(find_films(data), CONFIG)


def trained(
    loaded: LoadedFilms, work: Path, config: TrainConfig = CONFIG, on_step: Progress = lambda *_: None
) -> list[EpochLog]:
    network, logs = _fit(
        loaded, *split_by_patient(loaded, 0.3, 0), config, work, resume=False, say=lambda said: None, progress=on_step
    )
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    return logs


def losses(logs: list[EpochLog]) -> list[float]:
    return [loss for log in logs for loss in (log.loss, log.val_loss)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def wanted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    return losses(trained(load(data), tmp_path_factory.mktemp("one")))


def test_two_devices_train_as_one_does(data: Path, wanted: list[float], tmp_path: Path) -> None:
    command = [sys.executable, "-c", ON_TWO_DEVICES, str(data), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    n_replicas, found = json.loads(done.stdout.splitlines()[-1])
    assert set(n_replicas) == {2}
    assert found == pytest.approx(wanted, rel=0.01)  # each device normalises its own half of a batch


def test_half_precision_trains_alike_and_gives_a_network_in_full_precision(
    data: Path, wanted: list[float], tmp_path: Path
) -> None:
    found = losses(trained(load(data), tmp_path, replace(CONFIG, mixed_precision=True)))
    assert found == pytest.approx(wanted, rel=0.02)
    assert found != wanted
