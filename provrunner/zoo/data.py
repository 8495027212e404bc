"""Data modules for samples that fit in memory: split, standardise, load."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from provrunner.errors import ConfigError
from provrunner.zoo.dataset import ArrayDataset, as_is

__all__ = ["ArrayData", "Samples", "array_digest", "split_rows"]

_SPLITS = ("train", "val", "test")
_MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class Samples:
    """A data set in memory.

    Attributes:
        name: what it is called.
        inputs: (samples, *in_shape) float32.
        targets: (samples,) int64 classes from 0, or float32.
        problem: `classification` or `regression`.
        digest: SHA-256 of the content as it was found.
        features: shape of one sample as it was found.
        rows: each sample's index in the data as they were found.
        transforms: what was done to them on the way.
    """

    name: str
    inputs: NDArray[np.float32]
    targets: NDArray[Any]
    problem: str
    digest: str
    features: tuple[int, ...]
    rows: NDArray[np.int64]
    transforms: list[dict[str, Any]] = field(default_factory=list)

    @property
    def classes(self) -> int | None:
        """Number of classes; None in a regression."""
        return int(self.targets.max()) + 1 if self.problem == "classification" else None


class ArrayData(LightningDataModule):
    """Split samples by a seed of their own, standardise them, and load them in batches.

    Attributes:
        in_shape: shape of one sample, known after `setup`.
        out_features: numbers a model must give for a sample: the classes, or 1.
        problem: `classification` or `regression`.
    """

    in_shape: tuple[int, ...]
    out_features: int
    problem: str

    def __init__(
        self,
        *,
        batch_size: int = 64,
        val_fraction: float = 0.2,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        scale: bool = True,
        num_workers: int = 0,
    ) -> None:
        """Take the settings; nothing is read yet.

        Args:
            batch_size: samples of a training batch; evaluation takes at least 256 at once.
            val_fraction: part of the samples to validate on.
            test_fraction: part of the samples to test on.
            split_seed: decides which sample is in which split, whatever the run's seed.
            scale: subtract the mean and divide by the deviation of the training split, in each
                feature (in an image, in all pixels alike), and in the target of a regression.
            num_workers: processes that load batches.

        Raises:
            ConfigError: a fraction or size that leaves nothing to train, validate or test on.
        """
        super().__init__()
        if batch_size < 1:
            raise ConfigError(f"data.batch_size: {batch_size}; expected at least 1")
        for name, part in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
            if not 0 < part < 1:
                raise ConfigError(f"data.{name}: {part}; expected a number between 0 and 1")
        if val_fraction + test_fraction >= 1:
            raise ConfigError(
                f"data: val_fraction {val_fraction} and test_fraction {test_fraction} leave "
                "nothing to train on; their sum must be below 1"
            )
        self.batch_size = batch_size
        self.fractions = (val_fraction, test_fraction)
        self.split_seed = split_seed
        self.scale = scale
        self.num_workers = num_workers
        self._samples: Samples | None = None
        self._rows: dict[str, NDArray[np.int64]] = {}
        self._datasets: dict[str, ArrayDataset] = {}
        self._transforms: list[dict[str, Any]] = []

    @classmethod
    def check(cls, **settings: Any) -> None:
        """Find what is wrong with the settings before anything is run.

        Raises:
            ConfigError: the data cannot be read or split with these settings.
        """
        cls(**settings).setup()

    @abstractmethod
    def _load(self) -> Samples:
        """Return all samples as they are before any split."""

    def _encode(self, samples: Samples, _train: NDArray[np.int64]) -> Samples:
        """Return the samples as numbers; what must be learnt is learnt from the rows `train`."""
        return samples

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002  Lightning's signature
        """Read, split and standardise the samples, once."""
        if self._samples is not None:
            return
        loaded = self._load()
        self._rows = self._split(loaded)
        samples = self._encode(loaded, self._rows["train"])
        inputs, targets = self._scaled(samples)
        self._samples = samples
        self._datasets = {
            split: ArrayDataset(torch.from_numpy(inputs[rows]), torch.from_numpy(targets[rows]))
            for split, rows in self._rows.items()
        }
        self.in_shape = tuple(int(size) for size in inputs.shape[1:])
        self.out_features = samples.classes or 1
        self.problem = samples.problem

    def train_dataloader(self) -> DataLoader[Any]:
        """Load the training split in an order that the run's seed decides."""
        return self._loader("train", self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Load the validation split in order."""
        return self._loader("val", max(self.batch_size, 256), shuffle=False)

    def test_dataloader(self) -> DataLoader[Any]:
        """Load the test split in order."""
        return self._loader("test", max(self.batch_size, 256), shuffle=False)

    def provenance(self) -> dict[str, Any]:
        """Describe the data set, its splits, and what was done to it, in order.

        Returns:
            `dataset` (name, size, features, classes, digest), `splits` (indices, seed and labels
            of each), and `transforms` (name, params, split it was fitted on, n_in, n_out, changed).
        """
        if self._samples is None:
            self.setup()
        samples = self._known()
        return {
            "dataset": {
                "name": samples.name,
                "size": len(samples.inputs),
                "features": list(samples.features),
                "classes": samples.classes,
                "digest": samples.digest,
            },
            "splits": {
                split: {
                    "indices": samples.rows[rows],
                    "seed": self.split_seed,
                    "labels": samples.targets[rows] if samples.classes else None,
                }
                for split, rows in self._rows.items()
            },
            "transforms": [*samples.transforms, *self._transforms],
        }

    def _known(self) -> Samples:
        if self._samples is None:
            raise RuntimeError("the data module has not been set up")
        return self._samples

    def _split(self, samples: Samples) -> dict[str, NDArray[np.int64]]:
        rows = split_rows(len(samples.inputs), *self.fractions, seed=self.split_seed)
        empty = [split for split, indices in rows.items() if not len(indices)]
        if empty:
            raise ConfigError(
                f"data: {len(samples.inputs)} samples are too few: nothing is left for {empty[0]}"
            )
        return rows

    def _scaled(self, samples: Samples) -> tuple[NDArray[np.float32], NDArray[Any]]:
        inputs, targets = samples.inputs, samples.targets
        if not self.scale:
            return inputs, targets
        axes = tuple(range(inputs.ndim)) if inputs.ndim > 2 else (0,)
        inputs = self._standardised("standardise", inputs, axes)
        if samples.problem == "regression":
            targets = self._standardised("standardise_target", targets, (0,))
        return inputs, targets

    def _standardised(
        self, name: str, values: NDArray[np.float32], axes: tuple[int, ...]
    ) -> NDArray[np.float32]:
        train = values[self._rows["train"]].astype(np.float64)
        mean, deviation = train.mean(axes), train.std(axes)
        deviation = np.where(deviation > 0, deviation, 1.0)
        result: NDArray[np.float32] = ((values - mean) / deviation).astype(np.float32)
        self._transforms.append(
            {
                "name": name,
                "params": {"mean": _described(mean), "deviation": _described(deviation)},
                "split": "train",
                "n_in": len(values),
                "n_out": len(result),
                "changed": int((result != values).sum()),
            }
        )
        return result

    def _loader(self, split: str, batch_size: int, *, shuffle: bool) -> DataLoader[Any]:
        return DataLoader(
            self._datasets[split],
            batch_size=batch_size,
            shuffle=shuffle,
            num_workers=self.num_workers,
            collate_fn=as_is,
        )


def split_rows(
    count: int, val_fraction: float, test_fraction: float, *, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Share rows among train, val and test at random; val and test are rounded down.

    Example:
        >>> {name: len(rows) for name, rows in split_rows(10, 0.2, 0.3, seed=0).items()}
        {'train': 5, 'val': 2, 'test': 3}
    """
    order = np.random.default_rng(seed).permutation(count)
    val, test = int(count * val_fraction), int(count * test_fraction)
    parts = (order[val + test :], order[:val], order[val : val + test])
    return dict(zip(_SPLITS, map(np.sort, parts), strict=True))


def array_digest(*arrays: NDArray[Any]) -> str:
    """Return the SHA-256 of arrays: of the type, shape and bytes of each."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _described(values: NDArray[np.float64]) -> Any:
    """Give numbers as they are where they are few, else their count and digest."""
    if values.size > _MAX_LISTED:
        return {"size": int(values.size), "sha256": array_digest(values)}
    return values.tolist()
