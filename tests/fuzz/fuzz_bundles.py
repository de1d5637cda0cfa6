"""Try damaged bundles, in the process that a stranger's bundle is tried in: ``make fuzz``.

Values of ``model.json`` are replaced and bytes of ``model.tflite`` flipped. A bundle is a finding when its trial lets
another exception than BundleError through; findings are kept in .fuzz/ as folders.

    python -m tests.fuzz.fuzz_bundles 600        ten minutes
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, SPEC_NAME, WEIGHTS_NAME
from cxrscan.scanner.trial import open_bundle

FOLDER = Path(".fuzz")
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 10**9, -(10**9), 0.5, 1e-9, 1e11, "", "x", "\x1b[31m", "\u202e", "=1+1", "x" * 1_999),
    *([], {}, [1], ["x"], {"value": 1}, {"x": {}}),
)


def mutate(document: Any, chance: random.Random) -> None:
    """Replace a value somewhere in a document, or delete it."""
    place = document
    while True:
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        below = place[key]
        if isinstance(below, (dict, list)) and below and chance.random() < 0.9:
            place = below
        elif chance.random() < 0.1:
            del place[key]
            return
        else:
            place[key] = chance.choice(_VALUES)
            return


def write_bundle(folder: Path, chance: random.Random) -> None:
    """Write a damaged bundle whose description vouches for its weights."""
    document = json.loads((DEFAULT_BUNDLE / SPEC_NAME).read_text())
    weights = bytearray((DEFAULT_BUNDLE / WEIGHTS_NAME).read_bytes())
    if chance.random() < 0.5:
        for _ in range(chance.randint(1, 40)):  # the tables of a flatbuffer lie at its two ends
            weights[chance.choice([chance.randrange(8, 4096), -chance.randrange(1, 40_000)])] = chance.randrange(256)
    else:
        mutate(document, chance)
    document["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    (folder / SPEC_NAME).write_text(json.dumps(document))
    (folder / WEIGHTS_NAME).write_bytes(weights)


def main(seconds: str) -> None:
    """Try bundles for a time; exit code 1 where there are findings."""
    end, counts = time.monotonic() + float(seconds), {"used": 0, "refused": 0, "findings": 0}
    seed = time.time_ns()
    while time.monotonic() < end:
        seed += 1
        with tempfile.TemporaryDirectory() as folder:
            write_bundle(Path(folder), random.Random(seed))
            try:
                open_bundle(Path(folder))
                counts["used"] += 1
            except BundleError:
                counts["refused"] += 1
            except Exception:
                counts["findings"] += 1
                traceback.print_exc()
                shutil.copytree(folder, FOLDER / f"bundle-{seed}")
    sys.stderr.write(f"{counts}\n")
    sys.exit(bool(counts["findings"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
