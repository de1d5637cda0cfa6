from __future__ import annotations

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from cxrscan.training.style import style_clusters, style_log_odds, style_statistics
from tests.builders import film_pixels


def films(n: int) -> np.ndarray:
    """Drawn films, every second one blurred and pale, as from another machine."""
    drawn = [film_pixels(i, height=96, width=96).astype(np.float32) / 255 for i in range(n)]
    drawn = [cv2.GaussianBlur(film, (0, 0), 2) * 0.4 + 0.4 if i % 2 else film for i, film in enumerate(drawn)]
    return np.stack(drawn)[..., np.newaxis]


def test_the_machine_shows_in_the_statistics() -> None:
    statistics = style_statistics(films(40), weights="none")
    assert statistics.shape == (40, 128)
    is_pale = np.arange(40) % 2 == 1
    assert roc_auc_score(is_pale, style_log_odds(statistics, is_pale, [str(i) for i in range(40)])) > 0.95
    clusters = style_clusters(statistics, 2)
    assert len({(cluster, pale) for cluster, pale in zip(clusters, is_pale, strict=True)}) == 2
    np.testing.assert_array_equal(style_clusters(statistics, 2), clusters)
