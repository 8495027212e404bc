"""Real data that ship inside scikit-learn and need no download."""

from __future__ import annotations

import numpy as np

from provrunner.zoo.data import ArrayData, Samples, array_digest

__all__ = ["BreastCancer", "Diabetes", "Digits"]


class Digits(ArrayData):
    """Give 1797 images of handwritten digits, (1, 8, 8), in ten classes.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """

    def _load(self) -> Samples:
        from sklearn.datasets import load_digits

        inputs, targets = load_digits(return_X_y=True)
        images = inputs.reshape(-1, 1, 8, 8).astype(np.float32)
        return _samples("digits", images, targets.astype(np.int64), "classification")


class BreastCancer(ArrayData):
    """Give 569 tumours of 30 measured features in two classes.

    W. Wolberg, O. Mangasarian, N. Street and W. Street, Breast Cancer Wisconsin (Diagnostic),
    UCI, 1995.
    """

    def _load(self) -> Samples:
        from sklearn.datasets import load_breast_cancer

        inputs, targets = load_breast_cancer(return_X_y=True)
        return _samples(
            "breast_cancer", inputs.astype(np.float32), targets.astype(np.int64), "classification"
        )


class Diabetes(ArrayData):
    """Give 442 patients of 10 measured features and their disease's progress, a regression.

    B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least Angle Regression, 2004.
    """

    def _load(self) -> Samples:
        from sklearn.datasets import load_diabetes

        inputs, targets = load_diabetes(return_X_y=True)
        return _samples(
            "diabetes", inputs.astype(np.float32), targets.astype(np.float32), "regression"
        )


def _samples(name: str, inputs: np.ndarray, targets: np.ndarray, problem: str) -> Samples:
    return Samples(
        name=name,
        inputs=inputs,
        targets=targets,
        problem=problem,
        digest=array_digest(inputs, targets),
        features=tuple(inputs.shape[1:]),
        rows=np.arange(len(inputs)),
    )
