"""How properties are tested, where the environment has Hypothesis."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import settings

    # The same examples each time, and none too slow for a busy machine.
    settings.register_profile("tests", deadline=None, derandomize=True)
    settings.load_profile("tests")
