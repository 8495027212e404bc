"""Reads what the process, and capture in it, has used so far."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provrunner.capture.loaded import loaded, uses_cuda

if TYPE_CHECKING:
    from provrunner.capture.recorder import Recorder

__all__ = ["overhead_data", "read_resources"]

_STATM = Path("/proc/self/statm")
_IO = Path("/proc/self/io")


def read_resources() -> dict[str, Any]:
    """Return the data of a `resources` event.

    Returns:
        CPU seconds of all threads, resident bytes, the bytes of GPU memory that torch holds in
        tensors, now and at most, the share of the last moments in which the GPU was at work, and
        the bytes that went to and from storage. GPU fields are None where CUDA was not started, the
        share also where NVIDIA's library is not installed; those of storage where the system does
        not tell. Nothing waits for the GPU.
    """
    storage = _storage_bytes()
    cuda = loaded("torch").cuda if uses_cuda() else None
    return {
        "cpu_s": time.process_time(),
        "rss_bytes": _resident_bytes(),
        "gpu_bytes": None if cuda is None else cuda.memory_allocated(),
        "gpu_peak_bytes": None if cuda is None else cuda.max_memory_allocated(),
        "gpu_percent": None if cuda is None else _gpu_percent(cuda),
        "read_bytes": storage.get("read_bytes"),
        "written_bytes": storage.get("write_bytes"),
    }


def overhead_data(seconds: float, recorder: Recorder) -> dict[str, Any]:
    """Return the data of an `overhead` event, which counts itself.

    Args:
        seconds: spent inside capture's hooks so far.
        recorder: what wrote the events and metrics so far.
    """
    return {
        "hook_s": seconds,
        "events": recorder.written + 1,
        "metric_rows": recorder.metric_rows,
        "dropped": recorder.dropped,
    }


def _gpu_percent(cuda: Any) -> int | None:
    try:
        return int(cuda.utilization())
    except Exception:  # noqa: BLE001 - no library, no permission, or a GPU that does not tell
        return None


def _storage_bytes() -> dict[str, int]:
    """Read the counters of `/proc/self/io`; nothing where there are none, or none to be read."""
    try:
        lines = _IO.read_text("ascii").splitlines()
    except OSError:
        return {}
    return {name: int(count) for name, _, count in (line.partition(":") for line in lines)}


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        # Not Linux: the peak, in the unit of the system, is the best there is.
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
