"""What the gate costs: processor time of the same scan with and without it, in turn.

python -m tests.bench.gate_cost FILMS [--rounds 15] [--films 64]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import click

from cxrscan.scanner.records import ImageSource
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import scan_chunk


def processor_ms(chunk: Sequence[ImageSource], settings: ScanSettings) -> float:
    """Processor time for a chunk in milliseconds; other programs on the machine do not count, though they slow it."""
    started = time.process_time()
    scan_chunk(chunk, settings)
    return 1e3 * (time.process_time() - started)


@click.command()
@click.argument("films", type=click.Path(exists=True, path_type=Path))
@click.option("--rounds", default=15)
@click.option("--films", "n_films", default=64)
def main(films: Path, rounds: int, n_films: int) -> None:
    """Print processor time per film without and with the gate: of every chunk the median over the rounds."""
    sources = list(islice(find_images([films]), n_films))
    off, strict = ScanSettings(gate="off"), ScanSettings()
    chunks = [sources[i : i + strict.batch_size] for i in range(0, len(sources), strict.batch_size)]
    processor_ms(chunks[0], strict)  # opens the bundle
    without = with_gate = 0.0
    for chunk in chunks:
        pairs = [(processor_ms(chunk, off), processor_ms(chunk, strict)) for _ in range(rounds)]
        medians = [statistics.median(times) for times in zip(*pairs, strict=True)]
        without += medians[0]
        with_gate += medians[1]
    click.echo(
        f"{len(sources)} films, {rounds} rounds: {without / len(sources):.2f} ms without, "
        f"{with_gate / len(sources):.2f} ms with the gate; ratio {with_gate / without:.3f}"
    )


if __name__ == "__main__":
    main()
