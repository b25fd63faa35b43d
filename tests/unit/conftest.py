"""How properties are tested, where the environment has Hypothesis."""

from __future__ import annotations

import importlib.util
import os

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import Phase, settings

    # The same examples each time, and none too slow for a busy machine.
    settings.register_profile("tests", deadline=None, derandomize=True)
    # For make mutants: that an example fails is enough there, and nobody asks for the smallest one.
    settings.register_profile("mutants", settings.get_profile("tests"), phases=(Phase.explicit, Phase.generate))
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))
