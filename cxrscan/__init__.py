"""Scan films of the chest for pneumonia, and look at what was found.

>>> import cxrscan
>>> run = cxrscan.scan("films", out="cxrscan-out", labels="folders")
>>> run.frame[["path", "prediction", "prob_pneumonia"]]
>>> cxrscan.load_model().predict("films/a.png")

Research software, not a medical device. What is not named here may change from version to version.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from cxrscan.version import __version__

if TYPE_CHECKING:
    from cxrscan.film import Film
    from cxrscan.model import Model, load_model
    from cxrscan.run import Run, open_run, scan
    from cxrscan.scanner.errors import (
        BundleError,
        CxrscanError,
        FilmError,
        LabelError,
        RunFolderError,
        TrainingError,
        WorkerError,
    )

__all__ = [
    "BundleError",
    "CxrscanError",
    "Film",
    "FilmError",
    "LabelError",
    "Model",
    "Run",
    "RunFolderError",
    "TrainingError",
    "WorkerError",
    "__version__",
    "load_model",
    "open_run",
    "scan",
]

_MODULES = {"Film": "film", "Model": "model", "Run": "run", "load_model": "model", "open_run": "run", "scan": "run"}
"""Name -> module that holds it; errors stand in one of their own."""


def __getattr__(name: str) -> object:
    """Load what is asked for, so that ``import cxrscan`` costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cxrscan.{_MODULES.get(name, 'scanner.errors')}"), name)


def __dir__() -> list[str]:
    return __all__
