"""The log of a training run as a CSV file and as a picture."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from cxrscan.scanner.system.plain_matplotlib import import_matplotlib
from cxrscan.scanner.system.whole_files import replacing, replacing_text
from cxrscan.training.fit import EpochLog

_PANELS = (("loss", "val_loss", "cross-entropy"), ("auc", "val_auc", "AUC"), ("accuracy", "val_accuracy", "accuracy"))


def write_log(path: Path, logs: Sequence[EpochLog]) -> None:
    """Write one row for each epoch."""
    with replacing_text(path) as file:
        writer = csv.DictWriter(file, [f.name for f in fields(EpochLog)])
        writer.writeheader()
        writer.writerows(asdict(log) for log in logs)


def draw_curves(path: Path, logs: Sequence[EpochLog]) -> None:
    """Draw loss, AUC and accuracy over the epochs, training beside validation, as a PNG file."""
    import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [log.epoch for log in logs]
    for axes, (training, validation, title) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
        axes.plot(epochs, [getattr(log, training) for log in logs], "o-", label="training, varied films")
        axes.plot(epochs, [getattr(log, validation) for log in logs], "s-", label="validation, plain films")
        axes.set_xlabel("epoch")
        axes.set_title(title)
        axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)
