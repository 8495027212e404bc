"""The sensitivity summary of one sweep."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from provrunner.errors import ConfigError
from provrunner.schema import TABLES
from provrunner.sensitivity.study import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Summary", "build_summary"]

_LARGEST = 1e150
"""Above it squares, of which variances are made, leave the range of floats."""


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What a sweep's runs say of its hyperparameters.

    Attributes:
        document: the summary as JSON values; its keys are listed in docs/sensitivity.md.
    """

    document: Mapping[str, Any]

    @property
    def effects(self) -> pa.Table:
        """One row a component; the schema is `schema.TABLES["sensitivity"]`."""
        metric = self.document["sweep"]["metric"]
        names = TABLES["sensitivity"].names
        rows = [
            {name: metric if name == "objective" else part[name] for name in names}
            for part in self.document["components"]
        ]
        return pa.Table.from_pylist(rows, schema=TABLES["sensitivity"])

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the document: JSON values only, unknown numbers None."""
        # not `to_json`: to indent takes ten times as long, which shows with thousands of trials
        copy: dict[str, Any] = json.loads(
            json.dumps(self.document, sort_keys=True, allow_nan=False)
        )
        return copy

    def to_json(self) -> str:
        """Write the document: sorted keys, a final newline, the same bytes for the same runs."""
        text = json.dumps(
            self.document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False
        )
        return text + "\n"

    def to_frame(self) -> pd.DataFrame:
        """Return `effects` as a pandas DataFrame; pandas must be installed."""
        frame: pd.DataFrame = self.effects.to_pandas()
        return frame


def build_summary(runs: pa.Table, study: Study, *, epochs: pa.Table | None = None) -> Summary:
    """Analyse a sweep's runs.

    Args:
        runs: one row a run in any order; columns run, status, objective and one a parameter of the
            study; run_id, trial_id, replicate, seed, reason, objective_epoch and duration_s where
            there are any. Only finished runs with a finite objective enter the analysis; all are
            counted.
        study: what the sweep declared.
        epochs: the objective's metric through training, for the shares over time; columns run,
            epoch and value, one row a run and epoch.

    Raises:
        ValueError: a column is missing.
        ConfigError: an objective is finite, but too large to reckon with.

    Example:
        >>> from provrunner.sensitivity import Parameter
        >>> runs = pa.table({"run": [0, 1], "objective": [0.5, 0.4], "lr": [0.1, 0.01]})
        >>> runs = runs.append_column("status", pa.array(["finished", "finished"]))
        >>> study = Study("lr", "val/loss", "minimize", (Parameter("lr", (0.1, 0.01)),), planned=2)
        >>> build_summary(runs, study).document["flags"][0]["flag"]
        'cannot_conclude'
    """
    from provrunner.sensitivity.document import build_document

    _check_size(runs, study)
    return Summary(build_document(runs, study, epochs))


def _check_size(runs: pa.Table, study: Study) -> None:
    named = {"objective": study.metric} | {name: name for name, _ in study.others}
    for column, name in named.items():
        for value in runs[column].to_pylist() if column in runs.column_names else ():
            if value is not None and math.isfinite(value) and abs(value) > _LARGEST:
                raise ConfigError(
                    f"{name} is {value:g} in a run, too large for a variance; mark such runs as "
                    "failed without a value, or as diverged with inf"
                )
