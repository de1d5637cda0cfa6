"""Where the lungs lie on a frontal film."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a film, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Lungs:
    """Both lungs; the patient's right one lies on the left of a film as it is usually shown."""

    right: Box
    left: Box

    @property
    def middle(self) -> float:
        """Where the midline runs, as a share of the film's width."""
        return (self.right.right + self.left.left) / 2


USUAL_LUNGS = Lungs(Box(0.16, 0.13, 0.42, 0.72), Box(0.57, 0.13, 0.86, 0.74))
"""Where they lie on the mean of the training films, children and adults."""
