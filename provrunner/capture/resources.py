"""Reads what the process has used so far."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from provrunner.capture.loaded import loaded, uses_cuda

__all__ = ["read_resources"]

_STATM = Path("/proc/self/statm")


def read_resources() -> dict[str, Any]:
    """Return the data of a `resources` event.

    Returns:
        CPU seconds of all threads, resident bytes, and the bytes of GPU memory that torch holds in
        tensors (None where CUDA was not started). Nothing waits for the GPU.
    """
    return {
        "cpu_s": time.process_time(),
        "rss_bytes": _resident_bytes(),
        "gpu_bytes": loaded("torch").cuda.memory_allocated() if uses_cuda() else None,
    }


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        # Not Linux: the peak, in the unit of the system, is the best there is.
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
