"""Writes which rules of the pack still work on redacted events: the table of ``docs/detections-redacted.md``.

``PYTHONPATH=plugins python -m tools.redacted_rules --url http://localhost:9200`` runs the tests that the rules carry on
that OpenSearch, in indices of their own, once in full and once for each redaction. It needs pySigma, as
``.venvs/detections`` has it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from opensearchpy import OpenSearch

from oktalogger.detections.rules.compiler import compile_folder
from oktalogger.detections.rules.redacted import action_on, looked_at
from oktalogger.detections.testing.run import run_cases
from oktalogger.privacy.places import CLASSES
from oktalogger.privacy.policy import Policy, read_policy
from oktalogger.privacy.redactor import Redactor
from oktalogger.resources import include_dir

if TYPE_CHECKING:
    from oktalogger.detections.rules.compiler import Compiled

PAGE = Path(__file__).resolve().parents[1] / "docs" / "detections-redacted.md"
HASHED = "all=hash,free_text=drop"
DROPPED = "all=drop"
_KEY = "a key for this table"
_HEAD = f"""# Rules and redaction

[Redaction](privacy.md) takes values away that rules may look at. Every rule carries tests. This table says whether they
still pass with every class of personal data redacted: hashed (`OKTALOGGER_REDACT={HASHED}`) and
dropped (`{DROPPED}`). "Yes" means that all tests of the rule pass. "Misses" means that the rule no longer finds what
it must; "too wide" means that it finds what it must not. The last column names the classes that its fields belong
to: a rule works as before if none of them is redacted.

`python -m oktalogger detections check` says the same for your own setting and rules, and `detections test` runs their
tests with it.

`tools/redacted_rules.py` wrote this page, on OpenSearch"""


def verdicts(client: OpenSearch, compiled: Compiled, setting: str) -> dict[str, str]:
    """Return whether each rule's tests pass, by the rule's name.

    :param client: of the OpenSearch to test on
    :param compiled: the rules
    :param setting: the value of ``OKTALOGGER_REDACT``
    """
    redactor = Redactor(read_policy(setting), _KEY) if setting else None
    results, problems = run_cases(client, compiled, redactor=redactor)
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    found: dict[str, set[str]] = {}
    for result in results:
        wrong = "misses" if result.expected else "too wide"
        found.setdefault(result.rule, set()).update([] if result.passed else [wrong])
    return {rule: " and ".join(sorted(wrong)) or "yes" for rule, wrong in found.items()}


def main() -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="address of an OpenSearch")
    client = OpenSearch(parser.parse_args().url, timeout=120)
    compiled = compile_folder(include_dir() / "detections")
    version = client.info()["version"]["number"]
    full = verdicts(client, compiled, "")
    if failing := sorted(rule for rule, verdict in full.items() if verdict != "yes"):
        raise SystemExit(f"The tests of these rules fail without any redaction: {', '.join(failing)}")
    hashed, dropped = (verdicts(client, compiled, setting) for setting in (HASHED, DROPPED))
    rows = []
    # A rule's tests are run once, whichever of its severities they are about. Sums of findings look at no events.
    rules = [one for one in compiled.detections if not one.form_of and one.risk_sum is None]
    for detection in sorted(rules, key=lambda one: one.name):
        needs = [
            data
            for data in CLASSES
            if any(action_on(field, Policy({data: "drop"})) != "keep" for field in looked_at(detection))
        ]
        name = detection.name
        rows.append(f"| `{name}` | {hashed[name]} | {dropped[name]} | {', '.join(f'`{one}`' for one in needs)} |")
    works = [sum(verdict == "yes" for verdict in found.values()) for found in (hashed, dropped)]
    counted = f"Of {len(rows)} rules, {works[0]} work with everything hashed, and {works[1]} with everything dropped."
    table = ["| rule | hashed | dropped | looks at |", "|---|---|---|---|", *rows]
    PAGE.write_text("\n".join([f"{_HEAD} {version}.\n\n{counted}\n", *table]) + "\n")
    sys.stdout.write(f"{PAGE.name}: {counted}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
