"""The viewer's modules under the name that scripts know; they lie in ``scanner/viewer/``."""

from pathlib import Path

__path__ = [str(Path(__file__).parents[2] / "scanner" / "viewer")]
