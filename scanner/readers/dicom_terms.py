"""Terms of the DICOM standard that a header may be quoted with, and no others."""

from __future__ import annotations

import re

OTHER = "OTHER"
"""What stands for a code that is none of the standard's."""
CHEST_WORDS = (
    *("CHEST", "LUNG", "THORAX", "THOR", "CXR", "PECHO", "TORAX", "TORA", "PULMO", "POUMON", "BRUST", "BORST", "PEITO"),
    *("GOGUS", "AKCIGER", "KLATKA", "PLUC", "HRUD", "PLIC", "MELLKAS", "GRUD", "KEUHKO", "PIEPT"),
)
"""What body parts of chest films are called, in whichever language, without accents and endings."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODALITIES = _words(
    """
    AR AS ASMT AU BDUS BI BMD CD CF CFM CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DR DS DX EC ECG EEG EMG EOG EPS
    ES FA FID FS GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPR OPT OPTBSV
    OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN
    RTSTRUCT RWV SC SEG SM SMR SR SRF ST STAIN TEXTUREMAP TG US VA VF VL XA XAPROTOCOL XC
    """
)
"""Defined terms and retired ones: PS3.3 C.7.3.1.1.1."""
VIEWS = _words(
    """
    AP PA LL RL LLD RLD LLO RLO LAT LATERAL RAO LAO RPO LPO AX AXIAL OBLIQUE
    """
)
"""Views and projections: PS3.3 C.8.1.1.1 and what is in use beside them."""
INTENTS = frozenset({"FOR PRESENTATION", "FOR PROCESSING"})
"""PS3.3 C.8.11.1.1."""
OTHER_PARTS = _words(
    """
    ABDOMEN ABDOMENPELVIS ADRENAL ANKLE ARM BILEDUCT BLADDER BRAIN BREAST BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM
    CERVIX CHEEK CLAVICLE COCCYX COLON CORNEA CSPINE CTSPINE DUODENUM EAR ELBOW EXTREMITY EYE EYELID FACE FEET FEMUR
    FIBULA FINGER FOOT FOREARM GALLBLADDER GROIN HAND HEAD HEADNECK HIP HUMERUS ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE
    KUB LARYNX LEG LIVER LSPINE LSSPINE MANDIBLE MAXILLA MOUTH NECK NOSE ORBIT OVARY PANCREAS PARATHYROID PAROTID
    PATELLA PELVIS PENIS PHARYNX PITUITARY PROSTATE RADIUS RECTUM SACRUM SCALP SCAPULA SCLERA SCROTUM SELLA SHOULDER
    SINUS SKULL SPINE SPLEEN SSPINE STOMACH TEETH TESTIS THIGH THUMB THYROID TIBIA TLSPINE TMJ TOE TONGUE TOOTH TSPINE
    ULNA URETER URETHRA UTERUS VAGINA VULVA WRIST ZYGOMA
    """
)
"""Terms of PS3.16 annex L for parts beside the chest, and the spine behind it: what no chest film shows first."""
_NEAR_CHEST = _words("AORTA BACK BRONCHUS ESOPHAGUS HEART MEDIASTINUM RIB STERNUM THYMUS TRACHEA WHOLEBODY")
_WORD = re.compile("[A-Z]+")


def body_part_term(code: str) -> str:
    """The term for a body part that a text in upper case speaks of: a word for the chest before all others.

    Returns
    -------
    A chest word, a term of the standard, or ``OTHER`` where neither is in it; empty for an empty text.
    """
    words = _WORD.findall(code)
    names = {*words, "".join(words)}
    names |= {name.removesuffix("S") for name in names}
    if any(word.endswith("SPINE") for word in words):  # THORACIC SPINE
        return next(iter(sorted(names & OTHER_PARTS)), "SPINE")
    chest = next((word for word in CHEST_WORDS if word in code), "")
    known = sorted(names & (OTHER_PARTS | _NEAR_CHEST))
    return chest or (known[0] if known else OTHER if code else "")
