"""How all tests run: few examples and always the same ones, or with BOOKCORE_THOROUGH=1 many and new ones."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# `too_slow` and deadlines measure the machine, and the conformance suite needs a fixture for each function.
CALM = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)

settings.register_profile(
    "quick",
    deadline=None,
    derandomize=True,
    max_examples=40,
    stateful_step_count=40,
    suppress_health_check=CALM,
    phases=set(Phase) - {Phase.explain},  # explaining a failure takes minutes where shrinking takes seconds
)
settings.register_profile(
    "thorough", deadline=None, max_examples=2000, stateful_step_count=80, suppress_health_check=CALM, print_blob=True
)
settings.load_profile("thorough" if os.environ.get("BOOKCORE_THOROUGH") else "quick")
