"""What holds for all tests: the order of their files, and how slow a machine may be."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# a slow machine is no fault of what is tested
settings.register_profile(
    "any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any_machine")


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist keep our order; its own puts the files with the fewest tests last."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that train, so that no worker is left alone with one at the end."""
    training = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in training)
