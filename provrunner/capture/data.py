"""Describes data sets, their splits, transforms and loaders, without drawing a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from provrunner.capture.digests import ArrayContent, content_of, index_digest
from provrunner.capture.loaded import is_instance, is_tensor
from provrunner.capture.recorder import Described, json_value, type_path
from provrunner.capture.splits import Part, class_counts, shared_indices, told_part
from provrunner.capture.transforms import applied_transforms

__all__ = ["DataDescriber"]

_LARGEST_CONTENT = 64 << 20
_TORCH_DATA = "torch.utils.data"


class DataDescriber:
    """Describes what loaders read, each data set and split once in a run.

    Args:
        datamodule: the trainer's data module, or None. When it has a method `provenance()`, data
            sets, splits and transforms come from there and only loaders are looked at.
        limit_bytes: larger contents get no digest; None lifts the limit.
    """

    def __init__(
        self, datamodule: object | None, *, limit_bytes: int | None = _LARGEST_CONTENT
    ) -> None:
        self._datamodule = datamodule
        self._limit = limit_bytes
        self._names: dict[int, str] = {}
        self._kept: list[object] = []
        self._digests: dict[str, str] = {}
        self._samples: dict[str, np.ndarray | None] = {}
        self._parts: dict[str, Part] = {}
        self._told = False
        self._shown: dict[str, tuple[object, dict[str, Any]]] = {}

    def follow(self, datamodule: object | None) -> None:
        """Take another trainer's data module; the splits described so far stay known."""
        if datamodule is not self._datamodule:
            self._datamodule = datamodule
            self._told = False

    def describe(self, loaders: Mapping[str, Any]) -> Iterator[Described]:
        """Yield the events of the loaders of a stage.

        Args:
            loaders: by split (`train`, `val`, `test`, `predict`) what the trainer iterates; several
                loaders of one split are told apart as `val/0`, `val/1`.
        """
        told = self._provenance()
        if told is not None and not self._told:
            self._told = True
            yield from self._from_provenance(told)
        for split, loader in _flat(loaders):
            if told is None:
                yield from self._from_loader(split, getattr(loader, "dataset", loader))
            yield "loader", split, _loader_data(loader)

    def _provenance(self) -> Mapping[str, Any] | None:
        tell = getattr(self._datamodule, "provenance", None)
        told = tell() if callable(tell) else None
        return told if isinstance(told, Mapping) else None

    def _from_provenance(self, told: Mapping[str, Any]) -> Iterator[Described]:
        dataset = dict(told.get("dataset") or {})
        name = str(dataset.get("name") or type(self._datamodule).__name__)
        fields = ("digest", "size", "features", "classes")
        data = {field: dataset.get(field) for field in fields}
        reason = None if data["digest"] else "provenance() tells none"
        yield "dataset", name, {**data, "type": type_path(self._datamodule), "reason": reason}
        for split, told_split in (told.get("splits") or {}).items():
            part = told_part(name, told_split)
            yield "split", split, self._split_data(split, part)
        for position, transform in enumerate(told.get("transforms") or ()):
            yield "transform", *_transform(position, transform)

    def _from_loader(self, split: str, dataset: Any) -> Iterator[Described]:
        before, told_before = self._shown.get(split, (None, None))
        if dataset is before:
            return
        base, indices = _unwrapped(dataset)
        content = content_of(base)
        if id(base) not in self._names:
            sha256 = None if content is None or self._is_too_large(content) else content.digest()
            if not self._is_copy(base, sha256):
                name = self._new_name(base, split, sha256)
                yield "dataset", name, self._dataset_data(name, base, content)
        told = self._split_data(split, self._part(dataset, base, indices, content))
        self._shown[split] = dataset, told
        # A loader that is made anew for each stage reads the same split.
        if told != told_before:
            yield "split", split, told
            for position, (name, params) in enumerate(applied_transforms(dataset)):
                step = {"name": name, "params": params, "split": split}
                yield "transform", *_transform(position, step)

    def _part(
        self, dataset: Any, base: Any, indices: np.ndarray | None, content: ArrayContent | None
    ) -> Part:
        seed = getattr(self._datamodule, "split_seed", None)
        labels = _labels(base, content)
        return Part(
            dataset=self._names[id(base)],
            size=_length(dataset),
            indices=indices,
            content=content,
            labels=labels if labels is None or indices is None else labels[indices],
            seed=seed if isinstance(seed, int) else None,
        )

    def _is_copy(self, base: object, sha256: str | None) -> bool:
        """Say whether a data set has the content of one known before, and take it for that one."""
        name = next((name for name, known in self._digests.items() if known == sha256), None)
        if name is not None:
            self._remember(base, name)
        return name is not None

    def _new_name(self, base: object, split: str, sha256: str | None) -> str:
        told = getattr(self._datamodule, "dataset_name", None)
        name = told if isinstance(told, str) and told else type(base).__name__
        if name in self._names.values():
            name = f"{name}/{split}"
        number = 2
        while name in self._names.values():
            name, number = f"{name.partition('#')[0]}#{number}", number + 1
        self._remember(base, name)
        if sha256 is not None:
            self._digests[name] = sha256
        return name

    def _remember(self, base: object, name: str) -> None:
        self._names[id(base)] = name
        # Kept alive, so that no other data set gets the same id.
        self._kept.append(base)

    def _dataset_data(
        self, name: str, base: object, content: ArrayContent | None
    ) -> dict[str, Any]:
        labels = _labels(base, content)
        return {
            "digest": self._digest(name, content),
            "size": _length(base),
            "features": content.features if content else None,
            "classes": None if labels is None else len(np.unique(labels)),
            "type": type_path(base),
            "reason": self._why_no_digest(content),
        }

    def _split_data(self, split: str, part: Part) -> dict[str, Any]:
        overlap = {
            other: shared
            for other, before in self._parts.items()
            if other != split
            if (shared := self._shared(part, before)) is not None
        }
        self._parts[split] = part
        indices = part.indices
        if indices is None and part.content is not None:
            indices = np.arange(part.content.size)
        return {
            "dataset": part.dataset,
            "size": part.size,
            "digest": self._digest(part.dataset, part.content, part.indices),
            "index_digest": None if indices is None else index_digest(indices),
            "seed": part.seed,
            "classes": class_counts(part.labels),
            "overlap": overlap or None,
            "reason": self._why_no_digest(part.content),
        }

    def _digest(
        self, name: str, content: ArrayContent | None, indices: np.ndarray | None = None
    ) -> str | None:
        if content is None or self._is_too_large(content):
            return None
        if indices is not None:
            return content.digest(indices)
        return self._digests[name]

    def _is_too_large(self, content: ArrayContent) -> bool:
        return self._limit is not None and content.size_bytes > self._limit

    def _why_no_digest(self, content: ArrayContent | None) -> str | None:
        if content is None:
            return "its content is no array in this process's memory"
        if self._limit is None or not self._is_too_large(content):
            return None
        size, limit = (round(number / 2**20) for number in (content.size_bytes, self._limit))
        return f"its content of {size} MiB is more than {limit} MiB; level full has no limit"

    def _shared(self, part: Part, other: Part) -> int | None:
        """Count the samples of a split that another one holds as well; None when unknown."""
        if part.dataset == other.dataset:
            return shared_indices(part, other)
        ours, theirs = self._sample_digests(part), self._sample_digests(other)
        return None if ours is None or theirs is None else int(np.isin(ours, theirs).sum())

    def _sample_digests(self, part: Part) -> np.ndarray | None:
        content = part.content
        if content is None or self._is_too_large(content):
            return None
        if part.dataset not in self._samples:
            self._samples[part.dataset] = content.sample_digests()
        digests = self._samples[part.dataset]
        return digests if digests is None or part.indices is None else digests[part.indices]


def _transform(position: int, told: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    counts = {field: told.get(field) for field in ("split", "n_in", "n_out", "changed")}
    params = json_value(dict(told.get("params") or {}))
    return str(told.get("name", "transform")), {"position": position, "params": params, **counts}


def _flat(loaders: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for split, held in loaders.items():
        if isinstance(held, Mapping):
            yield from _flat({f"{split}/{key}": loader for key, loader in held.items()})
        elif isinstance(held, list | tuple) and len(held) == 1:
            yield from _flat({split: held[0]})
        elif isinstance(held, list | tuple):
            yield from _flat({f"{split}/{number}": part for number, part in enumerate(held)})
        elif held is not None:
            yield split, held


def _loader_data(loader: Any) -> dict[str, Any]:
    if not is_instance(loader, _TORCH_DATA, "DataLoader"):
        return {
            **dict.fromkeys(("batch_size", "shuffle", "workers", "drop_last")),
            "batches": _length(loader),
        }
    # Lightning wraps a distributed sampler in one of its own; both say themselves if they shuffle.
    shuffle = getattr(
        loader.sampler, "shuffle", is_instance(loader.sampler, _TORCH_DATA, "RandomSampler")
    )
    return {
        "batch_size": loader.batch_size,
        "shuffle": shuffle if isinstance(shuffle, bool) else None,
        "workers": loader.num_workers,
        "drop_last": loader.drop_last,
        "batches": _length(loader),
    }


def _unwrapped(dataset: Any) -> tuple[object, np.ndarray | None]:
    """Return the data set under all subsets, and which of its samples remain."""
    indices: np.ndarray | None = None
    while is_instance(dataset, _TORCH_DATA, "Subset"):
        own = np.asarray(dataset.indices, dtype=np.int64)
        indices = own if indices is None else own[indices]
        dataset = dataset.dataset
    return dataset, indices


def _length(sized: object) -> int | None:
    try:
        return len(sized)  # type: ignore[arg-type]
    except (TypeError, NotImplementedError):
        return None


def _labels(base: object, content: ArrayContent | None) -> np.ndarray | None:
    if content is not None:
        return content.labels
    targets = getattr(base, "targets", None)
    if is_tensor(targets) and targets.is_cpu and targets.dim() == 1:
        targets = targets.numpy()
    if isinstance(targets, Sequence) and len(targets) == _length(base):
        targets = np.asarray(targets)
    is_label = isinstance(targets, np.ndarray) and targets.ndim == 1 and targets.dtype.kind in "iub"
    return targets if is_label else None
