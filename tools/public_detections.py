"""Says which public detections for Okta the pack covers: the tables of ``docs/detections-coverage.md``.

Facts about the public sets are in ``public_detections.toml``; each rule names those that it corresponds to.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path("tools/public_detections.toml")
RULES = Path("include/detections")
PAGE = Path("docs/detections-coverage.md")

# `make generate` runs without a YAML reader; a test compares this with what the reader of rules finds.
_BLOCK = re.compile(r"^  corresponds:\n((?:    - .*\n)+)", re.MULTILINE)


class CoverageError(Exception):
    """The lists and the rules do not fit together; the message says what to do."""


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A public set of detections.

    :param key: how rules call it
    :param rules: the names of its rules for Okta
    :param partly: where ours differ, by name
    :param impossible: why ours cannot, by name
    """

    key: str
    title: str
    url: str
    commit: str
    names: str
    rules: tuple[str, ...]
    partly: dict[str, str]
    impossible: dict[str, str]


def public_sets(root: Path) -> list[PublicSet]:
    """Read the list of public sets."""
    read = tomllib.loads((root / LIST).read_text(encoding="utf-8"))
    return [
        PublicSet(
            key,
            found["title"],
            found["url"],
            found["commit"],
            found["names"],
            tuple(found["rules"]),
            found.get("partly", {}),
            found.get("impossible", {}),
        )
        for key, found in read.items()
    ]


def corresponding(root: Path) -> dict[str, list[str]]:
    """Return our rules by the public one that they correspond to, written ``source/name``."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / RULES).glob("*.yml")):
        for block in _BLOCK.findall(path.read_text(encoding="utf-8")):
            for line in block.splitlines():
                found.setdefault(line.removeprefix("    - ").strip(), []).append(path.stem)
    return found


def coverage_blocks(root: Path) -> dict[str, str]:
    """Return the made parts of the page.

    :raises CoverageError: if a rule names a public one that is not in the list, or the list and the rules disagree
    """
    ours, sets = corresponding(root), public_sets(root)
    check(sets, ours)
    return {"sums": _sums(sets, ours), **{f"coverage of {one.key}": _rows(one, ours) for one in sets}}


def check(sets: list[PublicSet], ours: dict[str, list[str]]) -> None:
    """Refuse a public rule that is covered and called impossible, or neither, and names that nobody knows."""
    known = {f"{one.key}/{name}" for one in sets for name in one.rules}
    for name in sorted(set(ours) - known):
        raise CoverageError(f"{ours[name][0]}.yml corresponds to {name}, which {LIST} does not list: mend either.")
    for one in sets:
        for name in one.rules:
            is_covered, is_impossible = f"{one.key}/{name}" in ours, name in one.impossible
            if is_covered is is_impossible:
                both = "has rules that correspond to it, and stands" if is_covered else "has none, and does not stand"
                raise CoverageError(f"{one.key}/{name} {both} under `{one.key}.impossible` in {LIST}: mend either.")
        for name in {*one.partly, *one.impossible} - set(one.rules):
            raise CoverageError(f"{one.key} has no rule {name}, of which {LIST} says more: mend it.")


def _sums(sets: list[PublicSet], ours: dict[str, list[str]]) -> str:
    lines = ["| source | at commit | rules | covered | partly | impossible |", "|---|---|---|---|---|---|"]
    for one in sets:
        covered = sum(f"{one.key}/{name}" in ours for name in one.rules)
        lines.append(
            f"| [{one.title}]({one.url}) ({one.names}) | `{one.commit}` | {len(one.rules)} | "
            f"{covered - len(one.partly)} | {len(one.partly)} | {len(one.impossible)} |"
        )
    return "\n".join(lines) + "\n"


def _rows(one: PublicSet, ours: dict[str, list[str]]) -> str:
    lines = ["| theirs | ours | |", "|---|---|---|"]
    for name in one.rules:
        rules = ", ".join(f"`{rule}`" for rule in ours.get(f"{one.key}/{name}", ())) or "none"
        remark = one.partly.get(name) or one.impossible.get(name, "")
        lines.append(f"| `{name}` | {rules} | {remark} |")
    return "\n".join(lines) + "\n"
