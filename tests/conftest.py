"""How many examples Hypothesis draws: as BOOKCORE_EXAMPLES says, few, the usual number (the default), or many.

Few and the usual number are the same ones in every run, so that a run can be repeated; many are new ones each time. A test
that needs more or fewer than others asks for a multiple or a part of ``settings().max_examples``.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

# `too_slow` and deadlines measure the machine, and the conformance suite needs a fixture for each function.
CALM = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
SAME = settings(
    deadline=None,
    derandomize=True,
    stateful_step_count=40,
    suppress_health_check=CALM,
    phases=set(Phase) - {Phase.explain},  # explaining a failure takes minutes where shrinking takes seconds
)
PROFILES = {
    "few": settings(SAME, max_examples=10),
    "usual": settings(SAME, max_examples=40),
    "many": settings(
        deadline=None, max_examples=2000, stateful_step_count=80, suppress_health_check=CALM, print_blob=True
    ),
}

asked = os.environ.get("BOOKCORE_EXAMPLES") or "usual"
if asked not in PROFILES:
    raise pytest.UsageError(f"BOOKCORE_EXAMPLES={asked}: it is one of {', '.join(PROFILES)}")
settings.register_profile("bookcore", PROFILES[asked])
settings.load_profile("bookcore")
