"""Finds changes of the code that no unit test notices: ``python3 -m tools.mutants [MODULE ...]``.

Makes small changes in the modules that must not lose or double an event, or let a rule fail without a word: a
condition the other way round, a statement left out, a number one greater. Runs the unit tests that reach each change. A
change that they do not notice is a survivor: write a test that does, or give the reason why none can in
``explained.toml``. Ends with 1 if there are survivors without a reason.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.mutants.changes import Change, changes
from tools.mutants.trial import TrialError, tried

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PACKAGE: Final = ROOT / "plugins" / "oktalogger"
EXPLAINED: Final = Path(__file__).resolve().parent / "explained.toml"


def _modules(pattern: str) -> list[str]:
    paths = sorted(path for path in PACKAGE.glob(f"{pattern}.py") if path.stem != "__init__")
    return [path.relative_to(PACKAGE).with_suffix("").as_posix() for path in paths]


def _tests(*patterns: str) -> tuple[str, ...]:
    unit = ROOT / "tests" / "unit"
    paths = sorted(path for pattern in patterns for path in unit.glob(f"{pattern}.py"))
    return tuple(path.relative_to(ROOT).as_posix() for path in paths)


RULES: Final = _tests("detections/rules/test_*", "detections/test_bundle", "detections/test_pack")
# What to change, and which unit tests concern it.
TARGETS: Final = {
    **dict.fromkeys(_modules("pipeline/*"), _tests("pipeline/test_*")),
    **{f"detections/rules/{name}": RULES for name in ("compiler", "fields", "lucene_query", "lucene_regex", "sigma")},
    "detections/grouped_search": _tests("detections/test_grouped_search", "detections/monitors/test_render"),
    "okta/paging": _tests("okta/test_paging*", "okta/test_links", "okta/test_client"),
    **dict.fromkeys(_modules("opensearch/bulk*"), _tests("opensearch/test_bulk*", "opensearch/test_rejected")),
}


@dataclass
class Verdict:
    """The results of the changes of one module, or of all.

    :param killed: how many changes a test noticed
    :param explained: unnoticed changes with a reason in the list
    :param survived: unnoticed changes without a reason
    :param needless: reasons in the list for changes that are noticed, or that are not made any more
    """

    killed: int = 0
    explained: list[str] = field(default_factory=list)
    survived: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        """Add another module's results."""
        self.killed += other.killed
        self.explained += other.explained
        self.survived += other.survived
        self.needless += other.needless

    def __str__(self) -> str:
        return f"{self.killed} killed, {len(self.explained)} explained, {len(self.survived)} survivors"


def judge(name: str, reasons: dict[str, str], *, only: str = "") -> Verdict:
    """Try every change of one module.

    :param name: a key of ``TARGETS``
    :param reasons: why no test can notice a change, by its key
    :param only: try no change whose key lacks this text
    :raises TrialError: if its tests fail without a change
    """
    source = PACKAGE / f"{name}.py"
    found = [change for change in changes(source.read_text(encoding="utf-8")) if only in change.key]
    verdict = Verdict()
    module = f"oktalogger.{name.replace('/', '.')}"
    left: list[Change] = []
    for change, survived in tried(module, source, TARGETS[name], found):
        if not survived:
            verdict.killed += 1
        elif change.key in reasons:
            verdict.explained.append(change.key)
        else:
            left.append(change)
    verdict.survived = [f"{name}.py:{change.line}: {change.key}" for change in sorted(left, key=lambda one: one.line)]
    if not only:
        verdict.needless = [f"{name}.py: {key}" for key in reasons if key not in verdict.explained]
    return verdict


def main() -> int:
    """Try the changes of the chosen modules, or of all."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(TARGETS))
    parser.add_argument("--only", default="", metavar="TEXT", help="try no change whose name lacks this text")
    arguments = parser.parse_args()
    chosen = arguments.modules or list(TARGETS)
    if unknown := [name for name in chosen if name not in TARGETS]:
        parser.error(f"no module {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    reasons = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    total = Verdict()
    began = time.monotonic()
    for name in chosen:
        module_began = time.monotonic()
        try:
            verdict = judge(name, reasons.get(name, {}), only=arguments.only)
        except TrialError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        total.add(verdict)
        print(
            f"{name}: {verdict} in {time.monotonic() - module_began:.0f} s", *verdict.survived, sep="\n  ", flush=True
        )
    if total.needless:
        print("These reasons are no longer needed. Remove them from explained.toml:", *total.needless, sep="\n  ")
    print(f"{total} in {time.monotonic() - began:.0f} s")
    return 1 if total.survived else 0


if __name__ == "__main__":
    sys.exit(main())
