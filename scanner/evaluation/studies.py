"""From films to studies: what each study amounts to, and how those of a patient follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from cxrscan.scanner.decision import call_at
from cxrscan.scanner.evaluation.grouping import acquired_at
from cxrscan.scanner.metrics import bootstrap_by_patient, summarise
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import (
    NEGATIVE,
    POSITIVE,
    REFERRED,
    Estimate,
    Film,
    RunInfo,
    StudyRule,
    StudySummary,
)
from cxrscan.scanner.run_record import Run

RULES: dict[StudyRule, str] = {
    "highest": "the highest probability of its scored films",
    "mean": "the mean probability of its scored films",
    "view": "the mean probability of its scored films in the best view that it has: PA, then AP, then one that is "
    "not stated, then others",
}
"""Rule -> a study's probability, in words."""

_VIEWS = ("PA", "AP", "")
"""The best view first; all others come after. In adults the shipped network tells PA films apart better than AP."""

_REPEAT = ("other versions of the same films", "repeat_log_odds")
"""Set of films and metric by which a bundle says how far its answers on two versions of one film lie apart."""


def repeat_of(model: ModelSpec) -> float | None:
    """Difference in the network's log-odds that 95 % of the pairs of versions of one film stay below.

    None where the bundle says nothing of it.
    """
    sets, metric = _REPEAT
    return model.validation.get(sets, {}).get(metric, Estimate(None)).value


@dataclass(frozen=True, slots=True)
class StudyFilm:
    """What a study needs to know of a film."""

    name: str
    patient: str
    prob: float | None
    log_odds: float
    """The network's; 0 without a probability."""
    truth: str | None
    view: str
    acquired: str
    gate: str | None
    reasons: tuple[str, ...]
    position: int
    """Among the run's films, from 0."""


@dataclass(frozen=True, slots=True)
class Study:
    """Films that belong together."""

    name: str
    patient: str
    """Empty where nothing says whose it is, or its films are of several patients."""
    films: tuple[StudyFilm, ...]
    """In the order of their names."""
    prob: float | None
    """Probability of pneumonia by the run's rule; None without a scored film."""
    deciding: tuple[StudyFilm, ...]
    """The scored films that the probability comes from."""
    log_odds: float
    """The network's, mean of the deciding films; 0 without one."""
    truth: str | None
    """``PNEUMONIA`` where a film is labelled so, else ``NORMAL`` where one is; None without a label."""
    acquired: str
    """When its first film was taken; empty where that is not known of all."""
    number: int = 1
    """Among the studies of its patient, from 1."""
    n_of_patient: int = 1
    ordered_by: str = ""
    """``time`` or ``name``; empty where the patient has no other study."""
    earlier: Study | None = None
    """The scored study of the patient before it, where both have a probability."""

    @property
    def n_scored(self) -> int:
        """Films with a probability."""
        return sum(film.prob is not None for film in self.films)

    @property
    def views(self) -> tuple[str, ...]:
        """Views that its films' headers state."""
        return tuple(sorted({film.view for film in self.films if film.view}))

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the gate says of its films."""
        return tuple(sorted({reason for film in self.films for reason in film.reasons}))

    @property
    def change(self) -> float | None:
        """Probability minus that of the earlier study; None without one."""
        if self.earlier is None or self.prob is None or self.earlier.prob is None:
            return None
        return self.prob - self.earlier.prob

    def changed(self, repeat: float | None) -> bool | None:
        """Whether the change is beyond what versions of one film show; None where nobody can know."""
        if repeat is None or self.earlier is None or self.prob is None or self.earlier.prob is None:
            return None
        return abs(self.log_odds - self.earlier.log_odds) > repeat


class StudyCollector:
    """Takes note of the films that pass by, so that studies cost no further pass over a run."""

    def __init__(self, model: ModelSpec) -> None:
        self._model = model
        self._films: dict[str, list[StudyFilm]] = {}
        self._n = 0

    def watch(self, films: Iterable[Film]) -> Iterator[Film]:
        """Hand films on."""
        for film in films:
            if film.study:
                self._films.setdefault(film.study, []).append(self._note(film))
            self._n += 1
            yield film

    def _note(self, film: Film) -> StudyFilm:
        result, prob = film.result, film.result.prob_pneumonia
        return StudyFilm(
            name=result.name,
            patient=film.patient,
            prob=prob,
            log_odds=0.0 if prob is None else self._model.log_odds(prob, result.population),
            truth=film.truth,
            view=result.attributes.view_position,
            acquired=acquired_at(result),
            gate=result.gate,
            reasons=result.gate_reasons,
            position=self._n,
        )

    def studies(self, rule: StudyRule) -> tuple[Study, ...]:
        """The studies that the films make: those of a patient follow each other, by time or else by name."""
        found = [_study(name, films, rule) for name, films in self._films.items()]
        by_patient: dict[str, list[Study]] = {}
        for study in found:
            by_patient.setdefault(_patient(study), []).append(study)
        return tuple(study for some in by_patient.values() for study in _in_order(some))


def _study(name: str, films: list[StudyFilm], rule: StudyRule) -> Study:
    deciding = _deciding([film for film in films if film.prob is not None], rule)
    probs = [film.prob for film in deciding if film.prob is not None]
    times = [film.acquired for film in films]
    truths, patients = {film.truth for film in films}, {film.patient for film in films}
    return Study(
        name=name,
        patient=patients.pop() if len(patients) == 1 else "",
        films=tuple(films),
        prob=sum(probs) / len(probs) if probs else None,
        deciding=tuple(deciding),
        log_odds=sum(film.log_odds for film in deciding) / len(deciding) if deciding else 0.0,
        truth=next((truth for truth in (POSITIVE, NEGATIVE) if truth in truths), None),
        acquired=min(times) if all(times) else "",
    )


def _deciding(scored: list[StudyFilm], rule: StudyRule) -> list[StudyFilm]:
    """The films whose mean is the study's probability."""
    if rule == "mean" or not scored:
        return scored
    if rule == "view":
        best = min(map(_rank_of_view, scored))
        return [film for film in scored if _rank_of_view(film) == best]
    return [max(scored, key=lambda film: film.prob or 0.0)]


def _rank_of_view(film: StudyFilm) -> int:
    return _VIEWS.index(film.view) if film.view in _VIEWS else len(_VIEWS)


def _in_order(studies: list[Study]) -> Iterator[Study]:
    """Number a patient's studies, and say which came before each."""
    if len(studies) == 1:
        yield studies[0]
        return
    timed = all(study.acquired for study in studies)
    studies.sort(key=lambda study: (study.acquired if timed else "", study.films[0].name))
    earlier = None
    for number, study in enumerate(studies, 1):
        here = replace(
            study,
            number=number,
            n_of_patient=len(studies),
            ordered_by="time" if timed else "name",
            earlier=earlier if study.prob is not None else None,
        )
        yield here
        if study.prob is not None:
            earlier = replace(here, earlier=None)


def summarise_studies(studies: tuple[Study, ...], run: Run) -> StudySummary:
    """Count a run's studies, and hold their calls against their labels."""
    info, repeat = run.info, repeat_of(run.model)
    calls = [call_at(study.prob, info.threshold, info.refer) for study in studies]
    labelled = [
        study
        for study, called in zip(studies, calls, strict=True)
        if study.truth is not None and called in (POSITIVE, NEGATIVE)
    ]
    figures, is_clustered = _figures(labelled, info)
    return StudySummary(
        group=info.group,
        rule=info.study_rule,
        n_studies=len(studies),
        n_patients=len({_patient(study) for study in studies}),
        n_without_patient=sum(not study.patient for study in studies),
        n_scored=sum(study.prob is not None for study in studies),
        n_positive=calls.count(POSITIVE),
        n_referred=calls.count(REFERRED),
        n_labelled=len(labelled),
        figures=figures,
        is_clustered=is_clustered,
        repeat=repeat,
        n_follow_ups=sum(study.earlier is not None for study in studies),
        n_changed=sum(study.changed(repeat) is True for study in studies),
    )


def _patient(study: Study) -> str:
    return study.patient or f"\0{study.name}"


def _figures(labelled: list[Study], info: RunInfo) -> tuple[dict[str, Estimate], bool]:
    """Figures of the labelled studies, and whether their intervals are clustered by patient."""
    if not labelled:
        return {}, False
    truth = np.array([study.truth == POSITIVE for study in labelled], dtype=np.bool_)
    prob = np.array([study.prob for study in labelled], dtype=np.float64)
    patients = np.array([_patient(study) for study in labelled], dtype=np.str_)
    one_by_one = summarise(truth, prob, info.threshold).estimates
    if np.unique(patients).size == len(labelled):
        return one_by_one, False
    clustered = bootstrap_by_patient(truth, prob, info.threshold, patients)
    # Where resamples show no spread, as at 100 %, the interval study by study says more.
    return {
        name: clustered[name] if name in clustered and clustered[name].low is not None else estimate
        for name, estimate in one_by_one.items()
    }, True
