"""A real bundle with a tiny, untrained network, for ``tests.bench.scale``: python -m … FOLDER."""

import hashlib
import json
import sys
from pathlib import Path

from scanner.model_bundle import DEFAULT_BUNDLE, SPEC_NAME, WEIGHTS_NAME, read_document
from tests.training.films import TINY
from training.export import export_graph
from training.network import build_network


def main(folder: str) -> None:
    graph = export_graph(build_network(TINY))
    document = {
        **read_document(DEFAULT_BUNDLE),
        "name": "tiny",
        "input_px": TINY.input_px,
        "weights_sha256": hashlib.sha256(graph).hexdigest(),
        "gate": None,
    }
    Path(folder).mkdir(parents=True)
    Path(folder, WEIGHTS_NAME).write_bytes(graph)
    Path(folder, SPEC_NAME).write_text(json.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
