"""A command line in Hydra's grammar, from words to a finished sweep."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra

from provrunner.compose import (
    CONFIG_NAME,
    compose_config,
    config_folder,
    is_under_torchrun,
    package_conf,
)
from provrunner.compose.hydra_versions import version_base
from provrunner.errors import ConfigError
from provrunner.run.job import run_task
from provrunner.run.launching import Outcome
from provrunner.run.sweeper import check

__all__ = ["start"]


def start(words: Sequence[str]) -> Outcome | None:
    """Run the sweep that a command line declares.

    Hydra's own flags work as its users know them: `--config-dir`, `--multirun` (which every sweep
    implies), and `--cfg`, `--info`, `--help`, `--hydra-help`, which only show something.

    Returns:
        How the sweep ended; None where the words asked to be shown something.

    Raises:
        ConfigError: the words or a configuration file are wrong; nothing was written.
        LogError: the sweep folder cannot be made; nothing was written.
    """
    _check_launch()
    args = get_args_parser().parse_args(list(words))
    _check_flags(args)
    folder = Path(args.config_dir) if args.config_dir else None
    with config_folder(folder):
        # Hydra composes it once more below; here its mistakes are found, and told so as to help.
        config = compose_config(args.overrides, return_hydra_config=True)
        if _only_shows(args):
            _show(words)
            return None
        check(config, args.overrides)
        with hydra.initialize_config_dir(
            str(package_conf()), job_name="provrunner", **version_base()
        ):
            engine = cast("Hydra", GlobalHydra.instance().hydra)
            outcome: Outcome = engine.multirun(
                config_name=CONFIG_NAME,
                task_function=run_task,
                overrides=args.overrides,
                with_log_configuration=False,
            )
            return outcome


def _check_launch() -> None:
    if is_under_torchrun():
        raise ConfigError(
            "torchrun would start a sweep in each of its processes; a run starts its ranks itself: "
            "python -m provrunner trainer.devices=2 trainer.strategy=ddp"
        )


def _check_flags(args: argparse.Namespace) -> None:
    if args.config_path or args.config_name not in (None, CONFIG_NAME):
        raise ConfigError(
            "--config-path, --config-name: the primary configuration is provrunner's own; "
            "put your files below ./conf, or name a folder of them with --config-dir"
        )
    if args.experimental_rerun:
        raise ConfigError("--experimental-rerun: provrunner keeps no configuration pickles")


def _only_shows(args: argparse.Namespace) -> bool:
    return bool(args.cfg or args.info or args.help or args.hydra_help or args.shell_completion)


def _show(words: Sequence[str]) -> None:
    """Hand the words to Hydra's own entry point, which prints and returns or exits."""
    sys.argv = [sys.argv[0], *words]
    hydra.main(**version_base(), config_path=str(package_conf()), config_name=CONFIG_NAME)(
        run_task
    )()
