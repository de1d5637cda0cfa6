"""What a film looks like apart from what it shows: statistics of the first blocks of a network trained on photographs.

Machine, exposure and export show there, the disease hardly. Where such statistics tell the classes apart, so may a
network that looks at nothing else (Gatys, Ecker and Bethge 2016 for the statistics).
"""

from __future__ import annotations

import keras
import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.network.config import NetworkConfig
from cxrscan.scanner.network.network import build_mobilenet
from cxrscan.scanner.records import FloatImage
from cxrscan.training.splits import IndexArray

N_CLUSTERS = 12
_LAYERS = ("expanded_conv_project_BN", "block_1_project_BN", "block_2_add")
_MOMENTS = (np.mean, np.std)
_BATCH = 64
_N_COMPONENTS = 20
_N_FOLDS = 5
_INVERSE_REGULARISATION = 0.1
_LEAST_PROBABILITY = 1e-4


def style_statistics(films: FloatImage, weights: str) -> FloatArray:
    """Mean and standard deviation of each channel behind MobileNetV2's first three blocks.

    Parameters
    ----------
    films
        float32 array, shape (N, S, S, 1), values in [0, 1].
    weights
        As in ``NetworkConfig``; those of ImageNet, so that styles stay the same for every network.

    Returns
    -------
    float64 array, shape (N, 128).
    """
    mobilenet = build_mobilenet(NetworkConfig(input_px=films.shape[1], weights=weights))
    early = keras.Model(mobilenet.input, [mobilenet.get_layer(name).output for name in _LAYERS])
    found = []
    for start in range(0, len(films), _BATCH):
        maps = early(2 * np.repeat(films[start : start + _BATCH], 3, axis=-1) - 1, training=False)
        found.append(np.hstack([moment(each, axis=(1, 2)) for each in map(np.asarray, maps) for moment in _MOMENTS]))
    return np.concatenate(found).astype(np.float64)


def style_clusters(statistics: FloatArray, n: int = N_CLUSTERS) -> IndexArray:
    """Group films by style; the same films give the same groups.

    Returns
    -------
    Number of each film's group, shape (N,).
    """
    scaled = StandardScaler().fit_transform(statistics)
    n_components = min(_N_COMPONENTS, *scaled.shape)
    components = PCA(n_components, random_state=0).fit_transform(scaled)
    return np.asarray(KMeans(min(n, len(components)), n_init=10, random_state=0).fit_predict(components))


def style_log_odds(statistics: FloatArray, truth: BoolArray, patients: list[str]) -> FloatArray:
    """Log-odds of pneumonia that a linear classifier gives a film for its style, without having seen the patient.

    Returns
    -------
    float64 array, shape (N,).
    """
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=3000))
    prob = cross_val_predict(
        classifier, statistics, truth, groups=patients, cv=GroupKFold(_N_FOLDS), method="predict_proba"
    )[:, 1].clip(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return np.asarray(np.log(prob / (1 - prob)))
