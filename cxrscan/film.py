"""One film with what was found in it, as arrays and as a cell of a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape

import numpy as np
import numpy.typing as npt

from cxrscan.scanner import NOTICE
from cxrscan.scanner.decision import prediction
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import GATE_REASONS, Band, FloatImage, Radiograph, ScanResult
from cxrscan.scanner.viewer.pictures import LONG_SIDE_PX, Uint8Image, Viewport, data_url, render_film, render_overlay

_CELL_PX = 420
"""Long side of the pictures in a notebook."""


@dataclass(frozen=True)
class Film:
    """A film and what was found in it."""

    result: ScanResult
    """Everything that the scan found out: size, format, header, gate, failure."""
    model: ModelSpec
    """Description of the model that scored it."""
    threshold: float
    """Probability, in [0, 1], at or above which a film is called ``PNEUMONIA``."""
    refer: Band | None = None
    """Probabilities, lowest and highest, of films that a person is to read."""
    truth: str | None = None
    """Its label, ``PNEUMONIA`` or ``NORMAL``; None without one."""
    _read: Callable[[], Radiograph | None] = field(default=lambda: None, repr=False)

    @property
    def name(self) -> str:
        """What it is called in its run."""
        return self.result.name

    @property
    def status(self) -> str:
        """``scored``; ``rejected``, where the picture is no frontal chest film; or ``failed``."""
        return self.result.status

    @property
    def probability(self) -> float | None:
        """Calibrated probability of pneumonia, in [0, 1]; None unless scored."""
        return self.result.prob_pneumonia

    @property
    def call(self) -> str | None:
        """``PNEUMONIA``, ``NORMAL`` or ``REFER`` (for a person to read); None unless scored."""
        return prediction(self.result, self.threshold, self.refer)

    @property
    def reasons(self) -> dict[str, str]:
        """Why the gate warns or rejects: code -> sentence."""
        return {code: GATE_REASONS[code] for code in self.result.gate_reasons}

    @cached_property
    def picture(self) -> FloatImage | None:
        """The film as it is displayed.

        float32 array, shape (H, W), values in [0, 1], bone bright. The original at full size where it is unchanged,
        else the small picture that the run kept; None where there is neither.
        """
        film = self._read()
        return None if film is None else film.pixels

    @property
    def heat_map(self) -> FloatImage | None:
        """Where the probability came from (Grad-CAM, Selvaraju et al. 2017).

        float32 array, shape (h, w), (7, 7) for inputs of 224 pixels, over the whole film; logit units, never
        negative. None unless scored.
        """
        kept = self.result.heat_map
        if kept is None:
            return None
        return np.frombuffer(kept.values, "<f2").astype(np.float32).reshape(kept.side, kept.side)

    def overlay(self, opacity: float = 0.6, long_side_px: int = LONG_SIDE_PX) -> Uint8Image | None:
        """Lay the heat map over the film, in the colours of the report.

        Parameters
        ----------
        opacity
            In [0, 1].
        long_side_px
            Length of the picture's longer side, in pixels.

        Returns
        -------
        uint8 array, shape (H, W, 3), red, green and blue; None without a picture or a heat map.
        """
        if self.picture is None or self.result.heat_map is None:
            return None
        grey = render_film(self.picture, Viewport(), long_side_px=long_side_px)
        return render_overlay(grey, self.result.heat_map, self.model.heat_scale, Viewport(), opacity)

    @property
    def embedding(self) -> npt.NDArray[np.float32] | None:
        """What the network made of the film before its head: float32, shape (1280,); None where none was kept."""
        kept = self.result.embedding
        return np.frombuffer(kept, "<f2").astype(np.float32) if kept else None

    def _repr_html_(self) -> str:
        panes = [] if self.picture is None else [render_film(self.picture, Viewport(), long_side_px=_CELL_PX)]
        overlay = self.overlay(long_side_px=_CELL_PX)
        panes += [] if overlay is None else [overlay]
        pictures = "".join(f'<img src="{data_url(pane)}" alt="" style="margin-right:8px">' for pane in panes)
        lines = [*self.reasons.values(), NOTICE]
        notes = "".join(f"<div><small>{escape(line)}</small></div>" for line in lines)
        return f"<div><b>{escape(self.name)}</b>: {escape(self._sentence)}</div><div>{pictures}</div>{notes}"

    @property
    def _sentence(self) -> str:
        failure = self.result.failure
        if failure is not None:
            return f"{failure.message} [{failure.code}]"
        if self.probability is None:
            return "rejected, no probability"
        return f"{self.call}, probability {self.probability:.2f} (threshold {self.threshold:.2f})"
