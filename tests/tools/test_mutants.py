"""The list of changes that no test can notice says why of each."""

from __future__ import annotations

import tomllib

from local import paths

EXPLAINED = tomllib.loads((paths.ROOT / "tools" / "mutants" / "explained.toml").read_text(encoding="utf-8"))


def test_each_explanation_is_of_a_module_that_there_is_and_says_why() -> None:
    for module, reasons in EXPLAINED.items():
        source = paths.ROOT / "plugins" / "oktalogger" / f"{module}.py"
        assert source.exists(), module
        for change, reason in reasons.items():
            assert reason, change
            before, _, after = change.partition(": ")[2].partition(" -> ")
            assert before, change
            assert after, change
