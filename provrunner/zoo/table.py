"""A table of the user's own, from a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from provrunner.errors import ConfigError, nearest
from provrunner.ids import file_digest
from provrunner.zoo.data import ArrayData, Samples
from provrunner.zoo.encoding import Encoded, encode_categories, encode_numbers

__all__ = ["Table"]

_PROBLEMS = ("auto", "classification", "regression")
_MOST_CLASSES_OF_NUMBERS = 20


class Table(ArrayData):
    """Predict one column of a table from others.

    Numbers with gaps are filled with the training split's mean; columns of text, truth values or
    dates become a column a category of the training split. Rows without a target are left out.
    All of this is in `provenance()`.
    """

    def __init__(
        self,
        path: str,
        target: str,
        *,
        features: Sequence[str] | None = None,
        problem: Literal["auto", "classification", "regression"] = "auto",
        **settings: Any,
    ) -> None:
        """Take the settings; nothing is read yet.

        Args:
            path: a file named `.csv`, `.csv.gz`, `.parquet` or `.pq`.
            target: the column to predict.
            features: the columns to predict from; None takes all others.
            problem: `classification`, `regression`, or `auto`: classification where the target is
                text, truth values, or whole numbers of at most 20 kinds.
            settings: those of `ArrayData`.

        Raises:
            ConfigError: an unknown problem, or a fraction or size of no use.
        """
        super().__init__(**settings)
        if problem not in _PROBLEMS:
            near = nearest(problem, _PROBLEMS)
            raise ConfigError(f"data.problem: {problem!r} is none of {', '.join(_PROBLEMS)}{near}")
        self.path = Path(path)
        self.target = target
        self.features = None if features is None else tuple(features)
        self.wanted_problem = problem
        self._columns: pa.Table | None = None

    def _load(self) -> Samples:
        table = _read(self.path)
        names = self._feature_names(table)
        kept = _is_known(table[self.target])
        rows = np.flatnonzero(kept)
        found, table = len(table), table.filter(pa.array(kept))
        targets, problem, classes = self._targets(table[self.target])
        self._columns = table.select(names)
        return Samples(
            name=self.path.name,
            inputs=np.zeros((len(table), 0), np.float32),
            targets=targets,
            problem=problem,
            digest=file_digest(self.path),
            features=(len(names),),
            rows=rows,
            transforms=[
                _transform("drop_missing_target", {"target": self.target}, found, len(table)),
                *([] if classes is None else [_classes_transform(classes, len(table))]),
            ],
        )

    def _encode(self, samples: Samples, train: NDArray[np.int64]) -> Samples:
        parts = [_encoded(name, column, train) for name, column in self._named_columns()]
        inputs = np.concatenate([part.values for part in parts], axis=1)
        done = [{**part.transform, "split": "train"} for part in parts if part.transform]
        return Samples(
            name=samples.name,
            inputs=inputs,
            targets=samples.targets,
            problem=samples.problem,
            digest=samples.digest,
            features=samples.features,
            rows=samples.rows,
            transforms=[*samples.transforms, *done],
        )

    def _named_columns(self) -> list[tuple[str, pa.ChunkedArray]]:
        if self._columns is None:
            raise RuntimeError("the table has not been read")
        return list(zip(self._columns.column_names, self._columns.columns, strict=True))

    def _feature_names(self, table: pa.Table) -> list[str]:
        """Check that all columns exist, and return those to predict from."""
        if self.target not in table.column_names:
            raise self._missing("target", self.target, table)
        names = self.features or [name for name in table.column_names if name != self.target]
        for name in names:
            if name not in table.column_names:
                raise self._missing("features", name, table)
        if self.target in names:
            raise ConfigError(f"data.features: {self.target!r} is the target itself")
        if not names:
            raise ConfigError(f"data.path: {self.path} has no column beside the target")
        return list(names)

    def _missing(self, key: str, name: str, table: pa.Table) -> ConfigError:
        near = nearest(name, table.column_names)
        return ConfigError(
            f"data.{key}: {self.path} has no column {name!r}; "
            f"it has {', '.join(table.column_names[:20])}{near}"
        )

    def _targets(
        self, column: pa.ChunkedArray
    ) -> tuple[NDArray[Any], str, list[str | int | float | bool] | None]:
        """Return the targets as numbers, the problem, and the classes by number."""
        if not len(column):
            raise ConfigError(f"data.path: {self.path} has no row with a {self.target!r}")
        is_number = _is_number(column.type)
        kinds = sorted(column.unique().to_pylist(), key=lambda kind: (str(type(kind)), kind))
        problem = self.wanted_problem
        if problem == "auto":
            few = pa.types.is_integer(column.type) and len(kinds) <= _MOST_CLASSES_OF_NUMBERS
            problem = "regression" if is_number and not few else "classification"
        if problem == "regression":
            if not is_number:
                raise ConfigError(
                    f"data.target: {self.target!r} holds {column.type}, such as {kinds[0]!r}; "
                    "a regression needs numbers"
                )
            return column.cast(pa.float32()).to_numpy(), problem, None
        if len(kinds) < 2:
            raise ConfigError(f"data.target: {self.target!r} has only the class {kinds[0]!r}")
        numbers = {kind: number for number, kind in enumerate(kinds)}
        codes = np.array([numbers[kind] for kind in column.to_pylist()], np.int64)
        return codes, problem, kinds


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        folder = path.parent
        near = nearest(
            path.name, [file.name for file in folder.iterdir()] if folder.is_dir() else []
        )
        raise ConfigError(f"data.path: no file {path.absolute()}{near}")
    try:
        table = _read_format(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise ConfigError(f"data.path: {path} cannot be read: {error}") from error
    if not len(table):
        raise ConfigError(f"data.path: {path} has no rows")
    return table


def _read_format(path: Path) -> pa.Table:
    if path.suffix in (".parquet", ".pq"):
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path)
    if path.suffixes[-1:] == [".csv"] or path.suffixes[-2:] == [".csv", ".gz"]:
        import pyarrow.csv

        options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
        return pyarrow.csv.read_csv(path, convert_options=options)
    raise ConfigError(f"data.path: {path.name} is no .csv, .csv.gz, .parquet or .pq file")


def _encoded(name: str, column: pa.ChunkedArray, train: NDArray[np.int64]) -> Encoded:
    if _is_number(column.type):
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return encode_numbers(name, values, train)
    return encode_categories(name, [_text(value) for value in column.to_pylist()], train)


def _is_known(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Tell which rows hold a value; not a number is none."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
    known: NDArray[np.bool_] = pc.is_valid(column).to_numpy()
    return known


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _classes_transform(classes: list[Any], count: int) -> dict[str, Any]:
    return _transform("encode_target", {"classes": [str(kind) for kind in classes]}, count, count)


def _transform(name: str, params: dict[str, Any], n_in: int, n_out: int) -> dict[str, Any]:
    return {
        "name": name,
        "params": params,
        "split": None,
        "n_in": n_in,
        "n_out": n_out,
        "changed": n_in - n_out,
    }
