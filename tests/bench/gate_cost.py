"""What the gate costs: processor time of the same scan with and without it, in turn.

python -m tests.bench.gate_cost FILMS [--rounds 7] [--films 64]
"""

from __future__ import annotations

import statistics
import time
from itertools import islice
from pathlib import Path

import click

from scanner.records import ImageSource
from scanner.settings import ScanSettings
from scanner.walk import find_images
from scanner.worker import scan_chunk


def processor_ms(sources: list[ImageSource], settings: ScanSettings) -> float:
    """Processor time per film in milliseconds; other programs on the machine do not count."""
    started = time.process_time()
    for i in range(0, len(sources), settings.batch_size):
        scan_chunk(sources[i : i + settings.batch_size], settings)
    return 1e3 * (time.process_time() - started) / len(sources)


@click.command()
@click.argument("films", type=click.Path(exists=True, path_type=Path))
@click.option("--rounds", default=7)
@click.option("--films", "n_films", default=64)
def main(films: Path, rounds: int, n_films: int) -> None:
    """Print processor time per film without and with the gate."""
    sources = list(islice(find_images([films]), n_films))
    off, strict = ScanSettings(gate="off"), ScanSettings()
    processor_ms(sources[:16], strict)  # opens the bundle
    pairs = [(processor_ms(sources, off), processor_ms(sources, strict)) for _ in range(rounds)]
    ratios = sorted(with_gate / without for without, with_gate in pairs)
    without, with_gate = (statistics.median(times) for times in zip(*pairs, strict=True))
    click.echo(
        f"{len(sources)} films, {rounds} rounds: {without:.2f} ms without, {with_gate:.2f} ms with the gate; "
        f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
    )


if __name__ == "__main__":
    main()
