"""Digests of what a data set holds, taken without asking it for a single sample."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provrunner.capture.loaded import is_instance, is_tensor

if TYPE_CHECKING:
    import torch

__all__ = ["ArrayContent", "content_of", "index_digest"]

_MOST_SAMPLES = 100_000


class ArrayContent:
    """The arrays that a data set's samples are rows of.

    Attributes:
        arrays: each of shape (n_samples, ...), in the order in which a sample gives them.
    """

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self.arrays = tuple(arrays)

    @property
    def size(self) -> int:
        """The number of samples."""
        return len(self.arrays[0])

    @property
    def size_bytes(self) -> int:
        """How much a digest of all samples has to read."""
        return sum(array.nbytes for array in self.arrays)

    @property
    def features(self) -> list[int]:
        """The shape of one sample's first array."""
        return [int(axis) for axis in self.arrays[0].shape[1:]]

    @property
    def labels(self) -> np.ndarray | None:
        """The last array when it holds one integer a sample and is not the only one."""
        last = self.arrays[-1]
        is_label = len(self.arrays) > 1 and last.ndim == 1 and last.dtype.kind in "iub"
        return last if is_label else None

    def digest(self, indices: np.ndarray | None = None) -> str:
        """Return the SHA-256 of the samples' types, shapes and bytes, of all or some, in order."""
        total = hashlib.sha256()
        for array in self.arrays:
            rows = array if indices is None else array[indices]
            total.update(f"{rows.dtype.str}{rows.shape}".encode())
            total.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
        return total.hexdigest()

    def sample_digests(self) -> np.ndarray | None:
        """Return a digest of each sample's bytes as uint64, by which equal samples are found.

        None for samples without bytes, and for more samples than can be read in a moment.
        """
        if not 0 < self.size <= _MOST_SAMPLES or any(not array.size for array in self.arrays):
            return None
        parts = [
            np.ascontiguousarray(array).reshape(self.size, -1).view(np.uint8)
            for array in self.arrays
        ]
        rows = np.concatenate(parts, axis=1)
        digests = (hashlib.blake2b(row.data, digest_size=8).digest() for row in rows)
        return np.frombuffer(b"".join(digests), np.uint64)


def content_of(dataset: object) -> ArrayContent | None:
    """Return the arrays of a data set that holds its samples in memory, else None.

    Known are `TensorDataset`, arrays and tensors themselves, lists of tensors or of tuples of them,
    and data sets that keep their samples as `data` and `targets`. Arrays share the data set's
    memory. A tensor on a device is not read, and no `__getitem__` of the user's is called: it may
    draw random numbers.
    """
    if is_instance(dataset, "torch.utils.data", "TensorDataset"):
        return _content(dataset.tensors)  # type: ignore[attr-defined]
    if isinstance(dataset, np.ndarray) or is_tensor(dataset):
        return _content([dataset])
    if isinstance(dataset, list | tuple):
        return _content(_columns(dataset))
    data, targets = getattr(dataset, "data", None), getattr(dataset, "targets", None)
    return _content([data] if targets is None else [data, targets])


def index_digest(indices: np.ndarray) -> str:
    """Return the SHA-256 of sorted indices as little-endian 64-bit integers.

    Example:
        >>> index_digest(np.array([2, 0])) == index_digest(np.array([0, 2]))
        True
    """
    return hashlib.sha256(np.sort(indices).astype("<i8").tobytes()).hexdigest()


def _content(columns: Sequence[Any]) -> ArrayContent | None:
    arrays = [_array(column) for column in columns]
    known = [array for array in arrays if array is not None]
    if not known or len(known) < len(arrays) or len({len(array) for array in known}) > 1:
        return None
    return ArrayContent(known)


def _array(column: Any) -> np.ndarray | None:
    if is_tensor(column):
        return _tensor_array(column)
    is_plain = isinstance(column, list | tuple) and len(column) > 0
    if is_plain and all(type(item) in (int, float) for item in column):
        column = np.asarray(column)
    if isinstance(column, np.ndarray) and column.ndim and not column.dtype.hasobject:
        return column
    return None


def _tensor_array(tensor: torch.Tensor) -> np.ndarray | None:
    import torch

    if not tensor.is_cpu or not tensor.dim() or tensor.layout is not torch.strided:
        return None
    held = tensor.detach()
    if held.dtype is torch.bfloat16:
        # numpy has no such type: the same bits as 16-bit integers.
        held = held.view(torch.int16)
    return np.asarray(held.numpy())


def _columns(samples: Sequence[Any]) -> Sequence[Any]:
    """Stack a list of samples into one array for each part of a sample; empty when they differ."""
    if not samples:
        return []
    rows = [sample if isinstance(sample, tuple | list) else (sample,) for sample in samples]
    if len({len(row) for row in rows}) > 1:
        return []
    try:
        return [_stacked(column) for column in zip(*rows, strict=True)]
    except (TypeError, ValueError, RuntimeError):
        return []


def _stacked(column: Sequence[Any]) -> Any:
    if all(is_tensor(item) and item.is_cpu for item in column):
        import torch

        return torch.stack([item.detach() for item in column])
    if all(isinstance(item, int | float | np.ndarray | np.generic) for item in column):
        return np.stack([np.asarray(item) for item in column])
    return None
