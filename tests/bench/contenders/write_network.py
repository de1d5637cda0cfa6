"""The network of a bundle as ``model.keras``, for the Keras contenders: python -m … BUNDLE model.keras."""

import sys
from pathlib import Path

from cxrscan.scanner.model_bundle import load_bundle
from cxrscan.scanner.network.restore import restore_network


def main(bundle: str, path: str) -> None:
    spec = load_bundle(Path(bundle))
    alpha = spec.training.get("config", {}).get("alpha", 1.0)
    restore_network(spec.weights_path.read_bytes(), input_px=spec.input_px, alpha=alpha).save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
