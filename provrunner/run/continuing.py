"""Where a run that was begun before goes on: its next attempt, and the checkpoint to go on from."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig

from provrunner.ids import file_digest
from provrunner.log import read_log
from provrunner.log.folder import log_folder

__all__ = ["Continuation", "RandomState", "find_continuation"]


@dataclass(frozen=True, slots=True)
class Continuation:
    """How a run begins this time.

    Attributes:
        attempt: its number, 0 for the first.
        checkpoints: digests of the checkpoints that earlier attempts left, by path.
        checkpoint: what training goes on from; None where it begins with the first step.
        anew: it was asked to begin with the first step.
        refused: why each checkpoint that was damaged was passed over, by path.
    """

    attempt: int = 0
    checkpoint: Path | None = None
    checkpoints: Mapping[str, str | None] = field(default_factory=dict)
    anew: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)


def find_continuation(run: Path, config: DictConfig, *, anew: bool = False) -> Continuation:
    """Look into what earlier attempts of a run left.

    Of the checkpoints that the log tells of, the latest counts that is still there with the very
    bytes that were logged, that was made after a whole epoch, with the state of all random numbers,
    and that leaves something to train: from it the rest is trained as if nothing had happened.
    What lies before an attempt that began anew was thrown away, and does not count.

    Args:
        run: the run's folder.
        config: the run's configuration.
        anew: go on from no checkpoint.
    """
    if not log_folder(run).is_dir():
        return Continuation(anew=anew)
    events = read_log(run, "events").table.select(["kind", "subject", "data"]).to_pylist()
    attempt = sum(event["kind"] == "run_start" for event in events)
    refused: dict[str, str] = {}
    logged = {} if anew else _logged_checkpoints(_since_anew(events))
    whole = _whole_files(run, logged, refused)
    checkpoint = next((path for path in whole if _goes_on(path, config)), None)
    return Continuation(attempt, checkpoint, _logged_checkpoints(events), anew, refused)


class RandomState(Callback):
    """Keeps the state of Python's, NumPy's and torch's random numbers in each checkpoint.

    Training that goes on from it draws what it would have drawn.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the states as numbers and tensors, which load without running any code."""
        _, keys, *rest = np.random.get_state()
        return {
            "python": random.getstate(),
            "numpy": [[int(key) for key in keys], *rest],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Set the states; those of GPUs where there are as many as there were."""
        version, state, gauss = state_dict["python"]
        random.setstate((version, tuple(state), gauss))
        keys, *rest = state_dict["numpy"]
        np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), *rest))
        torch.set_rng_state(state_dict["torch"])
        if len(state_dict["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state_dict["cuda"])


def _since_anew(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events since an attempt last began anew; all where none did."""
    for place in reversed(range(len(events))):
        event = events[place]
        if event["kind"] == "run_start" and json.loads(event["data"]).get("anew"):
            return events[place:]
    return events


def _logged_checkpoints(events: list[dict[str, Any]]) -> dict[str, str | None]:
    """Return the digests of the checkpoints that were not deleted, the last one made last."""
    logged: dict[str, str | None] = {}
    for event in events:
        if event["kind"] == "checkpoint":
            logged.pop(event["subject"], None)
            logged[event["subject"]] = json.loads(event["data"]).get("sha256")
        elif event["kind"] == "checkpoint_deleted":
            logged.pop(event["subject"], None)
    return logged


def _whole_files(
    run: Path, logged: Mapping[str, str | None], refused: dict[str, str]
) -> Iterator[Path]:
    """Yield the files that hold what the log says of them, the last one made first.

    Args:
        run: the run's folder.
        logged: the digest of each, by path.
        refused: is told why the others are passed over, by path.
    """
    for subject, sha256 in reversed(list(logged.items())):
        path = run / subject
        if not path.resolve().is_relative_to(run.resolve()):
            refused[subject] = "it lies outside its run"
        elif path.is_dir():
            refused[subject] = "it is a folder, and no run goes on from a sharded checkpoint"
        elif not path.is_file():
            refused[subject] = "it is missing, and nothing says that it was deleted"
        elif file_digest(path) != sha256:
            refused[subject] = "it has other bytes than were written"
        else:
            yield path


def _goes_on(path: Path, config: DictConfig) -> bool:
    """Say whether a checkpoint can be gone on from, and leaves an epoch to train."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        progress = state["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        is_whole = (
            bool(progress["is_last_batch"]) and RandomState.__qualname__ in state["callbacks"]
        )
        return is_whole and not _lacks_a_step(state) and not _is_over(state, config)
    except Exception:  # noqa: BLE001  what cannot be read is not gone on from
        return False


def _lacks_a_step(state: Mapping[str, Any]) -> bool:
    """Say whether a scheduler that waits for a plateau has not been told of the epoch.

    Lightning saves before it updates these, and does not make up for it.
    """
    return any("num_bad_epochs" in scheduler for scheduler in state.get("lr_schedulers", ()))


def _is_over(state: Mapping[str, Any], config: DictConfig) -> bool:
    """Say whether nothing was left to train: by epochs, by steps, or stopped early."""
    limits = {"max_epochs": int(state["epoch"]) + 1, "max_steps": int(state.get("global_step", 0))}
    for name, done in limits.items():
        last = config.trainer.get(name)
        if isinstance(last, int) and 0 <= last <= done:
            return True
    return any(
        isinstance(kept, Mapping)
        and "stopped_epoch" in kept
        and (kept.get("stopping_reason") or kept["wait_count"] >= kept["patience"])
        for kept in state["callbacks"].values()
    )
