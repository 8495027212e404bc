import pytest
import torch

from provrunner.capture.resources import read_resources


def test_without_a_gpu_its_fields_are_unknown():
    read = read_resources()
    assert read["cpu_s"] > 0
    assert read["rss_bytes"] > 1 << 20
    gpu = [read[name] for name in ("gpu_bytes", "gpu_peak_bytes", "gpu_percent")]
    assert gpu == [None, None, None]


def broken():
    raise ModuleNotFoundError("pynvml")


@pytest.mark.parametrize(("utilization", "percent"), [(lambda: 87, 87), (broken, None)])
def test_a_gpu_is_asked_without_waiting_for_it(monkeypatch, utilization, percent):
    for name, answer in {
        "is_initialized": lambda: True,
        "memory_allocated": lambda: 10,
        "max_memory_allocated": lambda: 30,
        "utilization": utilization,
        "synchronize": broken,
    }.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    read = read_resources()
    assert (read["gpu_bytes"], read["gpu_peak_bytes"], read["gpu_percent"]) == (10, 30, percent)
