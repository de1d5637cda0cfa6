"""What a run says of one film, as far as its results in the archive repeat it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cxrscan.reports.wording import probability_text
from cxrscan.scanner.decision import prediction, shown_regions
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import Film, HeatMap, Region
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.uids import hashed_uid


@dataclass(frozen=True, slots=True)
class Answer:
    """One film's result, with the run and the model behind it."""

    prob_pneumonia: float | None
    """In [0, 1]; None for a film that the gate rejected."""
    call: str | None
    """``PNEUMONIA``, ``NORMAL``, ``REFER``, or None without a probability."""
    gate_reasons: tuple[str, ...]
    heat_map: HeatMap | None
    """None unless scored."""
    regions: tuple[Region, ...]
    """To outline; none on a film that is called ``NORMAL``."""
    size_px: tuple[int, int]
    """Width and height of the film, whose pixels the regions are in."""
    model: ModelSpec
    threshold: float
    threshold_name: str
    refer: tuple[float, float] | None
    version: str
    """cxrscan's version."""
    at: datetime
    """When the run began, with its time zone: the date of all its results, however often they are written."""

    @property
    def device_uid(self) -> str:
        """Device UID (0018,1002): other weights are another device."""
        return hashed_uid("device", self.model.weights_sha256)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Algorithm Parameters (111002, DCM), one ``name=value`` each."""
        refer = self.refer and f"{probability_text(self.refer[0])}-{probability_text(self.refer[1])}"
        stated = {
            "threshold": f"{self.threshold:.4f}",
            "operating point": self.threshold_name,
            "calibration": self.model.calibration_text,
            "referred band": refer or "",
            "gate": "rejected" if self.call is None else "caveats" if self.gate_reasons else "passed",
            "gate reasons": " ".join(self.gate_reasons),
            "weights SHA-256": self.model.weights_sha256,
        }
        return tuple(f"{name}={value}" for name, value in stated.items() if value)

    @property
    def sentence(self) -> str:
        """The result in words: ``Pneumonia present, probability 0.9512 (threshold 0.6697, sens95)``."""
        if self.prob_pneumonia is None or self.call is None:
            return "Not scored: the film was not recognised as a frontal chest film"
        return (
            f"Pneumonia {CALLS[self.call].meaning.lower()}, probability {self.prob_pneumonia:.4f} "
            f"(threshold {self.threshold:.4f}, {self.threshold_name})"
        )


@dataclass(frozen=True, slots=True)
class CallCode:
    """A call as SNOMED CT codes the presence of a finding."""

    value: str
    meaning: str


CALLS: dict[str | None, CallCode] = {
    "PNEUMONIA": CallCode("52101004", "Present"),
    "NORMAL": CallCode("272519000", "Absent"),
    "REFER": CallCode("82334004", "Indeterminate"),
    None: CallCode("82334004", "Indeterminate"),
}


def answer_of(film: Film, run: Run) -> Answer:
    """Say what a run says of a film that it scored or rejected."""
    result = film.result
    called = prediction(result, run.info.threshold, run.info.refer)
    return Answer(
        prob_pneumonia=result.prob_pneumonia if result.status == "scored" else None,
        call=called,
        gate_reasons=result.gate_reasons,
        heat_map=result.heat_map if result.status == "scored" else None,
        regions=shown_regions(result, called),
        size_px=(result.width_px or 0, result.height_px or 0),
        model=run.model,
        threshold=run.info.threshold,
        threshold_name=run.info.threshold_name,
        refer=run.info.refer,
        version=run.info.version,
        at=datetime.fromisoformat(run.info.started_at),
    )
