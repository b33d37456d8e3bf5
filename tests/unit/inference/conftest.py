"""How hard hypothesis tries: enough to find what is wrong, and no limit of time that a busy machine would break."""

from hypothesis import HealthCheck, settings

settings.register_profile("modest", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("modest")
