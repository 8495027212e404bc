"""Describes the machine and the installed software that a run meets."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from provrunner.capture.loaded import loaded

__all__ = ["host_name", "installed_packages", "read_environment", "software_agents", "user_name"]

# Names of variables that change results or say where a run ran; none of them holds a secret.
_VARIABLES = frozenset(
    {
        "CONDA_DEFAULT_ENV",
        "CUBLAS_WORKSPACE_CONFIG",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_VISIBLE_DEVICES",
        "LANG",
        "LC_ALL",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "MKL_NUM_THREADS",
        "NODE_RANK",
        "NVIDIA_TF32_OVERRIDE",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "PYTHONHASHSEED",
        "PYTHONOPTIMIZE",
        "PYTORCH_CUDA_ALLOC_CONF",
        "RANK",
        "SLURM_ARRAY_JOB_ID",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_JOB_ID",
        "SLURM_JOB_NAME",
        "SLURM_JOB_PARTITION",
        "SLURM_NTASKS",
        "SLURM_PROCID",
        "TZ",
        "WORLD_SIZE",
    }
)
_CPUINFO = Path("/proc/cpuinfo")
_AGENTS = ("provrunner", "lightning", "pytorch_lightning", "torch")


def read_environment(
    environ: Mapping[str, str],
    packages: Mapping[str, str],
    *,
    cuda: bool,
    launcher: str | None = None,
) -> dict[str, Any]:
    """Return the data of an `environment` event.

    Args:
        environ: the environment variables; only those of a fixed list of harmless names are kept.
        packages: the versions of what is installed.
        cuda: whether to name the GPUs; asking for them makes CUDA start, so only a run that uses
            them should.
        launcher: what started the run.
    """
    torch = loaded("torch")
    return {
        "python": platform.python_version(),
        "os": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_bytes": _memory_bytes(),
        "gpus": _gpu_names() if cuda else [],
        "threads": None if torch is None else torch.get_num_threads(),
        "packages": dict(packages),
        "variables": {name: environ[name] for name in sorted(_VARIABLES & environ.keys())},
        "launcher": launcher,
    }


def installed_packages(folders: Iterable[str]) -> dict[str, str]:
    """Return the version of each package installed in the folders of a path, sorted by name.

    Read from the names of the `.dist-info` folders, whose form the wheel standard fixes: opening a
    few hundred metadata files takes a quarter of a second. The first of two equal names counts, as
    it does for an import.
    """
    packages: dict[str, str] = {}
    for folder in folders:
        for name, version in _distributions(folder):
            packages.setdefault(name, version)
    return dict(sorted(packages.items()))


def software_agents(
    user: str | None, packages: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the data of an `agent` event for each tool that makes the run."""
    for name in _AGENTS:
        module = sys.modules.get(name)
        if module is not None:
            known = packages.get(name.replace("_", "-"))
            version = known or getattr(module, "__version__", None)
            yield name, {"type": "software", "version": version, "on_behalf_of": user}


def user_name() -> str | None:
    """Return the user's name; None where the system knows none, as for a bare container uid."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None


def host_name() -> str | None:
    """Return the machine's name; None where it has none."""
    return socket.gethostname() or None


def _distributions(folder: str) -> Iterator[tuple[str, str]]:
    try:
        names = [entry.name for entry in os.scandir(folder or ".")]
    except OSError:
        return
    for entry in names:
        stem, dot, suffix = entry.rpartition(".")
        name, dash, version = stem.partition("-")
        if dot and dash and suffix == "dist-info":
            yield name.replace("_", "-").lower(), version


def _cpu_name() -> str | None:
    try:
        # Each core repeats the same lines: the first block is enough.
        with _CPUINFO.open(encoding="utf-8", errors="replace") as file:
            head = file.read(4096)
    except OSError:
        return platform.processor() or None
    for line in head.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _gpu_names() -> list[str]:
    torch = loaded("torch")
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
