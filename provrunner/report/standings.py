"""How a run ended, from the word of any tool."""

from __future__ import annotations

from provrunner.schema import RunStatus

__all__ = ["status_of"]

_STATUSES = {
    **dict.fromkeys(("finished", "complete", "completed", "done", "success"), RunStatus.FINISHED),
    **dict.fromkeys(("succeeded", "ok"), RunStatus.FINISHED),
    **dict.fromkeys(("prune", "pruned"), RunStatus.PRUNED),
    **dict.fromkeys(("planned", "waiting", "pending", "queued", "scheduled"), RunStatus.PLANNED),
    **dict.fromkeys(("interrupted", "killed"), RunStatus.INTERRUPTED),
    "running": RunStatus.RUNNING,
    "diverged": RunStatus.DIVERGED,
    "lost": RunStatus.LOST,
}


def status_of(word: object) -> RunStatus:
    """Return what a tool's word for a status means; `failed` for any that is not known.

    Example:
        >>> [status_of(word).value for word in ("FINISHED", "TrialState.PRUNED", "KILLED", None)]
        ['finished', 'pruned', 'interrupted', 'failed']
    """
    return _STATUSES.get(str(word).lower().rpartition(".")[2], RunStatus.FAILED)
