"""Points that Optuna's samplers choose one after another, each in view of the results before it."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from provrunner.compose.coordinates import coordinate_of, suggest
from provrunner.compose.space import Space
from provrunner.errors import ConfigError, nearest
from provrunner.ids import canonical_json, digest

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

__all__ = ["STUDY_FILE", "AskTell", "Suggestion", "describe_sampler"]

STUDY_FILE = "optuna.journal"
"""Optuna's own log of the study, in the sweep folder."""

_CLASSES = {
    "tpe": "TPESampler",
    "gp": "GPSampler",
    "cmaes": "CmaEsSampler",
    "nsga2": "NSGAIISampler",
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "tpe": {"n_startup_trials": 10, "constant_liar": True},
    "gp": {"n_startup_trials": 10},
    "cmaes": {"n_startup_trials": 1, "warn_independent_sampling": False},
    "nsga2": {"population_size": 20},
}
_STARTUP = ("n_startup_trials", "population_size")
_SET_BY_US = ("self", "seed")
_GIVEN = "provrunner:given"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One point that was asked for.

    Attributes:
        number: of the trial in the study.
        values: of the axes that are active in it.
        reason: `given`, `startup` or `model`.
        told: results that the sampler knew.
    """

    number: int
    values: dict[str, Any]
    reason: str
    told: int


def describe_sampler(design: str, options: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Return the class that a design asks, and Optuna's version.

    Raises:
        ConfigError: Optuna is not installed, or the class does not take such options.

    Example:
        >>> describe_sampler("tpe", {"n_startup_trials": 5}, "")[0]
        'optuna.samplers.TPESampler'
    """
    package = _optuna(where)
    name = _CLASSES[design]
    known = set(inspect.signature(getattr(package.samplers, name).__init__).parameters)
    known -= set(_SET_BY_US)
    for key in options:
        if key not in known:
            raise ConfigError(
                f"{where}: sweep.sampler.{key}: optuna.samplers.{name} takes no {key!r}"
                f"{nearest(key, known)}"
            )
    return f"optuna.samplers.{name}", str(package.__version__)


class AskTell:
    """A study of Optuna's in a file, asked for points and told of their results.

    The sampler is made anew for each question, with a seed of the study's seed and the number of
    the trial, so that a study that was left and gone on with is asked what it would have been.

    Args:
        path: of the study's file; what is there is gone on with.
        design: `tpe`, `gp`, `cmaes` or `nsga2`.
        space: where points may lie.
        directions: of the objectives, `minimize` or `maximize`.
        seed: of all draws.
        options: arguments of the sampler.
        name: of the study.
    """

    def __init__(
        self,
        path: Path,
        design: str,
        space: Space,
        directions: Sequence[str],
        *,
        seed: int,
        options: Mapping[str, Any],
        name: str,
    ) -> None:
        self._optuna = _optuna(path.name)
        self._space, self._seed, self._design = space, seed, design
        self._coordinates = [coordinate_of(space, block) for block in space.ordered]
        self._options = {**_DEFAULTS[design], **options}
        _cut_torn_line(path)
        journal = self._optuna.storages.journal
        with _quietly():
            self._storage = journal.JournalStorage(journal.JournalFileBackend(str(path)))
            self._study = self._optuna.create_study(
                storage=self._storage,
                study_name=name,
                directions=list(directions),
                load_if_exists=True,
                pruner=self._optuna.pruners.NopPruner(),
            )

    def give(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Have these points come first; those that the study has are not given again."""
        had = sum(_GIVEN in trial.user_attrs for trial in self._trials())
        for point in points[had:]:
            params = {
                one.name: one.encode(point) for one in self._coordinates if one.block[0] in point
            }
            with _quietly():
                self._study.enqueue_trial(params, user_attrs={_GIVEN: True})

    def ask(self) -> Suggestion:
        """Return the next point."""
        told = self._told()
        return self._ask(self._sampler(self._next_number()), self._reason(told), told)

    def ask_again(self, number: int) -> Suggestion:
        """Return the point of a trial that was asked for and came to nothing: the same again."""
        told = self._told()
        with _quietly():
            self._study.sampler = self._sampler(number)
            trial = self._optuna.trial.Trial(self._study, self._trials()[number]._trial_id)
            return self._suggestion(trial, self._reason(told), told)

    def draw(self) -> Suggestion:
        """Return a point drawn blindly, for when the sampler repeats itself."""
        sampler = self._optuna.samplers.RandomSampler(seed=self._seed_of(self._next_number()))
        return self._ask(sampler, "random", self._told())

    def tell(
        self, number: int, values: Sequence[float] | None, *, pruned_at: int | None = None
    ) -> None:
        """Tell a trial's objectives; None is a trial that failed. A second telling does nothing.

        Args:
            number: of the trial.
            values: one an objective.
            pruned_at: epochs after which it was stopped early. TPE ranks such a trial below those
                that went on for longer; the other samplers pass over it, and of several objectives
                it is told as failed.
        """
        states = self._optuna.trial.TrialState
        trial = self._trials()[number]
        if trial.state.is_finished():
            return
        with _quietly():
            self._study.sampler = self._sampler(number)
            if values is None or (pruned_at is not None and len(values) > 1):
                self._study.tell(number, state=states.FAIL)
            elif pruned_at is not None:
                self._storage.set_trial_intermediate_value(trial._trial_id, pruned_at, values[0])
                self._study.tell(number, state=states.PRUNED)
            else:
                self._study.tell(number, list(values))

    def open_trials(self) -> list[int]:
        """Return the numbers of the trials that were asked for and not told."""
        running = self._optuna.trial.TrialState.RUNNING
        return [trial.number for trial in self._trials() if trial.state == running]

    def values_of(self, number: int) -> tuple[float, ...] | None:
        """Return what a trial was told; None where it failed, was pruned, or is open."""
        trial = self._trials()[number]
        is_whole = trial.state == self._optuna.trial.TrialState.COMPLETE
        return tuple(trial.values) if is_whole else None  # Optuna gives a pruned one values as well

    def _ask(self, sampler: BaseSampler, reason: str, told: int) -> Suggestion:
        with _quietly():
            self._study.sampler = sampler
            return self._suggestion(self._study.ask(), reason, told)

    def _suggestion(self, trial: Trial, reason: str, told: int) -> Suggestion:
        values: dict[str, Any] = {}
        for one in self._coordinates:
            if self._space.is_active(one.block, values):
                values |= one.decode(suggest(trial, one))
        values = {name: values[name] for name in self._space.axes if name in values}
        reason = "given" if _GIVEN in trial.user_attrs else reason
        return Suggestion(trial.number, values, reason, told)

    def _reason(self, told: int) -> str:
        startup = next((self._options[key] for key in _STARTUP if key in self._options), 0)
        return "startup" if told < startup else "model"

    def _next_number(self) -> int:
        """Return the number of the trial to be asked for next: a given one has its own already."""
        waiting = self._optuna.trial.TrialState.WAITING
        trials = self._trials()
        return next((one.number for one in trials if one.state == waiting), len(trials))

    def _trials(self) -> list[FrozenTrial]:
        trials: list[FrozenTrial] = self._study.get_trials(deepcopy=False)
        return trials

    def _told(self) -> int:
        states = self._optuna.trial.TrialState
        return sum(one.state in (states.COMPLETE, states.PRUNED) for one in self._trials())

    def _seed_of(self, number: int) -> int:
        return int(digest(canonical_json([self._seed, number]))[:8], 16)

    def _sampler(self, number: int) -> BaseSampler:
        make = getattr(self._optuna.samplers, _CLASSES[self._design])
        with _quietly():
            sampler: BaseSampler = make(seed=self._seed_of(number), **self._options)
        return sampler


def _optuna(where: str) -> ModuleType:
    try:
        return import_module("optuna")
    except ImportError as error:
        raise ConfigError(
            f"{where}: adaptive designs need Optuna, which is not installed ({error}); "
            "install provrunner[optuna]"
        ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep Optuna's remarks on trials, and its warnings of experimental options, to itself."""
    logging = import_module("optuna").logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)


def _cut_torn_line(path: Path) -> None:
    """Cut half a line that a killed writer left: Optuna could not read past it."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
