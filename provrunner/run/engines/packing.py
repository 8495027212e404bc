"""Jobs made ready to leave this process."""

from __future__ import annotations

from pathlib import Path

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import setup_globals
from hydra.types import HydraContext

from provrunner.compose.hydra_versions import changing
from provrunner.run.engines.engine import Job, Share
from provrunner.run.work import Work

__all__ = ["Packer"]


class Packer:
    """Composes each job's configuration here, so that a worker needs none of its files.

    Args:
        share: what all jobs have in common.
        threads: of torch in each job.
    """

    def __init__(self, share: Share, *, threads: int) -> None:
        setup_globals()
        self._share, self._threads = share, threads
        # what composes stays here
        context = HydraContext(config_loader=None, callbacks=share.context.callbacks)  # type: ignore[arg-type]
        self._common = cloudpickle.dumps((context, share.task, Singleton.get_state()))

    def pack(self, job: Job) -> Work:
        """Compose a job."""
        share = self._share
        config = share.context.config_loader.load_sweep_config(share.config, list(job.overrides))
        with changing(config):
            config.hydra.job.id = str(job.index)
            config.hydra.job.num = job.index
        return Work(
            common=self._common,
            config=cloudpickle.dumps(config),
            sweep=share.folder.resolve(),
            run_id=job.point.run_id,
            cwd=Path.cwd(),
            threads=self._threads,
        )
