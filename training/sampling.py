"""Which films an epoch shows, and how often each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.training.config import TrainConfig
from cxrscan.training.films import FilmFile, LoadedFilms
from cxrscan.training.splits import IndexArray
from cxrscan.training.style import style_clusters, style_statistics

_LEAST_FACTOR = 0.7


def draw_films(train: IndexArray, shares: FloatArray, config: TrainConfig, epoch: int) -> IndexArray:
    """Draw the films of an epoch, in their order; the same seed and epoch give the same films.

    Without ``balanced`` that is every training film once. With it there are as many draws, or ``films_per_epoch``.

    Parameters
    ----------
    shares
        How often each of the training films is drawn, as from ``balanced_shares``.

    Returns
    -------
    Indices of films.
    """
    rng = np.random.default_rng([config.seed, epoch])
    if not config.balanced:
        return rng.permutation(train)
    return rng.choice(train, films_per_epoch(len(train), config), p=shares)


def films_per_epoch(n_train: int, config: TrainConfig) -> int:
    """How many films an epoch shows of so many training films."""
    return config.films_per_epoch or n_train if config.balanced else n_train


def shares_of(loaded: LoadedFilms, train: IndexArray, config: TrainConfig) -> FloatArray:
    """How often each training film is drawn when ``balanced``.

    Returns
    -------
    float64 array, shape (number of training films,), sum 1.
    """
    films = [loaded.films[i] for i in train]
    factors = np.ones(len(films))
    if config.balanced and config.style_balance > 1:
        for population in loaded.populations:
            mine = np.array([film.population == population for film in films])
            pixels = loaded.pixels[[loaded.rows[i][0] for i in train[mine]]]
            clusters = style_clusters(style_statistics(pixels, config.style_weights or config.weights))
            factors[mine] = style_factors(clusters, loaded.truth[train[mine]], config.style_balance)
    return balanced_shares(films, factors)


def style_factors(clusters: IndexArray, truth: BoolArray, most: float) -> FloatArray:
    """How much more often than others a film is drawn because its class is rare in its style.

    Whole balance would let ten films stand for hundreds. The square root of it, within bounds, is a compromise.

    Returns
    -------
    float64 array, shape (N,), values from 0.7 to ``most``.
    """
    factors = np.ones(truth.size)
    for cluster in np.unique(clusters):
        mine = clusters == cluster
        normal, ill = (float(np.mean(mine[truth == is_ill])) for is_ill in (False, True))
        for is_ill, own, other in ((False, normal, ill), (True, ill, normal)):
            factors[mine & (truth == is_ill)] = np.clip(np.sqrt(other / own), _LEAST_FACTOR, most) if own else 1.0
    return factors


def balanced_shares(films: Sequence[FilmFile], factors: FloatArray) -> FloatArray:
    """How often each film is drawn so that nothing but the disease tells the classes apart.

    Populations are drawn equally often, the classes in each of them, and the views in each class. Ill people are
    filmed lying, so that the view alone would tell much. Within such a group weights and factors decide.

    Parameters
    ----------
    factors
        Numbers by which the films' weights are multiplied; shape (N,).

    Returns
    -------
    float64 array, shape (N,), sum 1.
    """
    groups: dict[tuple[str, bool, str], list[int]] = defaultdict(list)
    for i, film in enumerate(films):
        groups[film.population, film.is_positive, film.view].append(i)
    shares = np.zeros(len(films))
    for (population, is_positive, _), group in groups.items():
        n_populations = len({name for name, _, _ in groups})
        n_classes = len({truth for name, truth, _ in groups if name == population})
        n_views = len({view for name, truth, view in groups if (name, truth) == (population, is_positive)})
        weights = np.array([films[i].weight for i in group]) * factors[group]
        shares[group] = weights / weights.sum() / (n_populations * n_classes * n_views)
    return shares


def loss_weights(films: Iterable[FilmFile], config: TrainConfig) -> FloatArray:
    """How much each film counts in the loss: drawn films all the same, others as weight and class say.

    Returns
    -------
    float64 array, shape (N,).
    """
    films = tuple(films)
    if config.balanced:
        return np.ones(len(films))
    weights = np.array([film.weight for film in films])
    truth = np.array([film.is_positive for film in films])
    if config.class_weight:
        share = float(truth.mean())
        weights = weights * np.where(truth, 0.5 / share, 0.5 / (1 - share))
    return weights
