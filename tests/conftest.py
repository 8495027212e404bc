"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# a slow machine is no fault of what is tested
settings.register_profile(
    "any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any_machine")
