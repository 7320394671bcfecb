"""Linear probes: how much of a labelling task a linear model reads from the embeddings."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recipes.encoder.data import Labels
from recipes.encoder.inference import Floats

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Give the 95 % interval of a proportion.

    Source: Wilson 1927, Probable inference.
    """
    share, square = right / n, z * z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return centre - half, centre + half


def proportion(right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Report a share with its 95 % interval and its count."""
    low, high = wilson(int(right.sum()), len(right))
    share = round(float(right.mean()), 4)
    return {"value": share, "interval_95": [round(low, 4), round(high, 4)], "images": len(right)}


def fit_probe(features: Floats, labels: Labels, seed: int = 0, strengths: Sequence[float] = STRENGTHS) -> Any:
    """Fit logistic regression on standardised features, C by cross-validation on the same labels."""
    folds = StratifiedKFold(int(min(4, np.bincount(labels).min())), shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=400))
    grid = {"logisticregression__C": list(strengths)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GridSearchCV(model, grid, cv=folds).fit(features, labels)


def draw(labels: Labels, per_class: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw ``per_class`` images of each class without replacement; gives their places."""
    chosen = [generator.permutation(np.flatnonzero(labels == k))[:per_class] for k in np.unique(labels)]
    return np.concatenate(chosen)


def probe_draws(
    train: tuple[Floats, Labels], test: tuple[Floats, Labels], per_class: int, draws: int
) -> dict[str, Any]:
    """Probe with ``per_class`` examples a class, several draws: mean and standard deviation over draws."""
    scores = []
    for seed in range(draws):
        places = draw(train[1], per_class, np.random.default_rng(seed))
        model = fit_probe(train[0][places], train[1][places], seed)
        scores.append(float((model.predict(test[0]) == test[1]).mean()))
    deviation = float(np.std(scores, ddof=1)) if draws > 1 else math.nan
    return {"mean": round(float(np.mean(scores)), 4), "sd_of_draws": round(deviation, 4), "draws": draws}


def probe_all(
    train: tuple[Floats, Labels], test: tuple[Floats, Labels], strengths: Sequence[float] = STRENGTHS
) -> dict[str, Any]:
    """Probe with every training example: accuracy with its interval, and the C chosen."""
    model = fit_probe(*train, strengths=strengths)
    result = proportion(model.predict(test[0]) == test[1])
    return {**result, "C": model.best_params_["logisticregression__C"]}
