"""Agreement of readers, as a document and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from cxrscan.reports.wording import VERDICTS, figure_text, interval_text, terminal_text
from cxrscan.scanner.evaluation.agreement import Agreement
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.system.text import count, printable


def agreement_document(agreement: Agreement) -> dict[str, Any]:
    """Return the agreement as JSON values; undefined figures are null with the reason."""
    return asdict(agreement)


def agreement_text(agreement: Agreement) -> str:
    """Return the agreement as lines for a terminal."""
    return "".join(f"{terminal_text(printable(line))}\n" for line in _lines(agreement))


def _lines(agreement: Agreement) -> Iterator[str]:
    width = max(len(reader.name) for reader in agreement.readers)
    yield f"{'':{width}}  " + "  ".join(f"{title:>12}" for title in VERDICTS.values())
    for reader in agreement.readers:
        yield f"{reader.name:{width}}  " + "  ".join(f"{reader.n_said[key]:>12,}" for key in VERDICTS)
    yield ""
    for pair in agreement.pairs:
        yield f"{pair.first} and {pair.second}: {count(pair.n_films, 'film')} read by both"
        if pair.observed is not None:
            yield f"  the same on {figure_text(pair.observed, 'share')}; Cohen's kappa {kappa_text(pair.kappa)}"
    if agreement.fleiss is not None:
        n_readers = sum(reader.is_reader for reader in agreement.readers)
        yield f"All {n_readers} readers: {count(agreement.n_films_of_all, 'film')} read by all"
        yield f"  Fleiss' kappa {kappa_text(agreement.fleiss)}"
    yield ""
    yield "Kappa: 1 is full agreement, 0 what chance would give. Unsure counts as an answer of its own."


def kappa_text(kappa: Estimate) -> str:
    """Write a kappa with its interval, or with the reason why it has none."""
    interval = interval_text(kappa, "plain")
    said = figure_text(kappa.value, "plain")
    return f"{said} ({interval})" if interval else f"{said}. {kappa.reason}"
