"""Engines run the network of a bundle: ``litert`` by default, ``keras`` where TensorFlow is wanted."""

from __future__ import annotations

from cxrscan.scanner.engines.base import Engine, EngineName
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.system.quiet import import_tensorflow


def open_engine(name: EngineName, spec: ModelSpec, n_threads: int) -> Engine:
    """Open a bundle's network.

    Raises
    ------
    CxrscanError
        The weights cannot be used; ``extra-missing`` for ``keras`` without TensorFlow.
    """
    if name == "litert":
        from cxrscan.scanner.engines.litert import LiteRTEngine

        return LiteRTEngine(spec, n_threads=n_threads)
    try:
        import_tensorflow()
        from cxrscan.scanner.engines.keras import KerasEngine
    except ImportError as error:
        raise CxrscanError("extra-missing", "The Keras engine needs TensorFlow, the extra `train`.") from error
    return KerasEngine(spec, n_threads=n_threads)
