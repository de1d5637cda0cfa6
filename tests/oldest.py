"""The oldest versions that pyproject.toml allows, as constraints for pip: ``python -m tests.oldest > oldest.txt``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def oldest_versions() -> list[str]:
    """``name==version`` for every dependency, and for those of the extra ``train``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    dependencies = [*project["dependencies"], *project["optional-dependencies"]["train"]]
    return [re.sub(r">=", "==", dependency) for dependency in dependencies]


if __name__ == "__main__":
    print("\n".join(oldest_versions()))  # noqa: T201
