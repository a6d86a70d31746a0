"""Kernels over some columns of a matrix, which scikit-learn's own do not know: a model's architecture, its curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel


class Columns(Kernel):  # type: ignore[misc]  # scikit-learn has no types
    """A kernel that reads the columns from `first` up to `last` alone."""

    def __init__(self, kernel: Kernel, first: int, last: int) -> None:
        self.kernel, self.first, self.last = kernel, first, last

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        found = {"kernel": self.kernel, "first": self.first, "last": self.last}
        if deep:
            found |= {f"kernel__{key}": value for key, value in self.kernel.get_params().items()}
        return found

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        return [
            Hyperparameter(f"kernel__{one.name}", one.value_type, one.bounds, one.n_elements)
            for one in self.kernel.hyperparameters
        ]

    @property
    def theta(self) -> Any:
        return self.kernel.theta

    @theta.setter
    def theta(self, theta: Any) -> None:
        self.kernel.theta = theta

    @property
    def bounds(self) -> Any:
        return self.kernel.bounds

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        other = None if Y is None else Y[:, self.first : self.last]
        return self.kernel(X[:, self.first : self.last], other, eval_gradient)

    def diag(self, X: Any) -> Any:
        return self.kernel.diag(X[:, self.first : self.last])

    def is_stationary(self) -> bool:
        return bool(self.kernel.is_stationary())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and self.get_params(deep=False) == other.get_params(deep=False)


class Additive(Kernel):  # type: ignore[misc]  # as above
    """The mean over columns of a Matern kernel (nu = 5/2) of length 1 in each: functions that are sums over columns.

    What one option does whatever the others are is so learnt from a handful of models, where a kernel of the distance
    between whole architectures needs models that are near each other.
    """

    def __init__(self) -> None:
        """No parameters; scikit-learn reads them from here."""

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        other = X if Y is None else Y
        found = np.zeros((len(X), len(other)))
        for one, another in zip(X.T, other.T, strict=True):
            away = np.sqrt(5) * np.abs(np.subtract.outer(one, another))
            found += (1 + away + away**2 / 3) * np.exp(-away)
        found /= X.shape[1]
        return (found, np.empty((*found.shape, 0))) if eval_gradient else found

    def diag(self, X: Any) -> Any:
        return np.ones(len(X))

    def is_stationary(self) -> bool:
        return True


class Same(Kernel):  # type: ignore[misc]  # as above
    """1 for equal numbers, else 0: what belongs to one trial alone, or to one rung."""

    def __init__(self) -> None:
        """No parameters; scikit-learn reads them from here."""

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        found = np.equal.outer(X[:, 0], (X if Y is None else Y)[:, 0]).astype(float)
        return (found, np.empty((*found.shape, 0))) if eval_gradient else found

    def diag(self, X: Any) -> Any:
        return np.ones(len(X))

    def is_stationary(self) -> bool:
        return True
