"""Is this a frontal chest film at all, and one of the kind that the model knows? Reasons, never a silent guess.

``evidence`` measures a picture, ``statistics`` holds the measures against the training films, ``verdict`` turns
both, and the header, into reasons. docs/gate.md tells the method and its rates.
"""

from cxrscan.scanner.gate.verdict import GateDecision, judge, judge_answer, judge_lungs

__all__ = ["GateDecision", "judge", "judge_answer", "judge_lungs"]
