"""A head decides by the evidence of a whole listing; the matcher has two (``matcher.py``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

#: Inverse regularisation of the logistic regression.
_C = 0.1


@dataclass(frozen=True, slots=True)
class Head:
    """The mean of a logistic regression and of boosted trees, by probability."""

    logistic: Pipeline
    trees: HistGradientBoostingClassifier

    @classmethod
    def fit(cls, evidence: Floats, target: Bools, weight: Floats) -> Head:
        """Fit both.

        Args:
            evidence: [n, columns].
            target: [n], both answers.
            weight: [n] what each row counts.
        """
        logistic = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=2000))
        trees = HistGradientBoostingClassifier(
            max_iter=150,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=15,
            l2_regularization=3.0,
            early_stopping=False,
            random_state=0,
        )
        counts = None if (weight == 1).all() else weight
        logistic.fit(evidence, target, logisticregression__sample_weight=counts)
        return cls(logistic, trees.fit(evidence, target, sample_weight=counts))

    def predict(self, evidence: Floats) -> Floats:
        """The probability of the answer: float32 [n]."""
        both = (model.predict_proba(evidence)[:, 1] for model in (self.logistic, self.trees))
        return np.asarray(sum(both) / 2.0, dtype=np.float32)
