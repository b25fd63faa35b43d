"""Which public detections the pack covers: every one is accounted for, and the page says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.generate import ROOT
from tools.public_detections import LIST, PAGE, RULES, CoverageError, corresponding, coverage_blocks, public_sets

WANTED = {"okta": 34 + 12, "elastic": 52, "panther": 33, "splunk": 19, "sentinel": 9, "sigma": 24}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / RULES, tmp_path / RULES)
    (tmp_path / LIST).parent.mkdir()
    shutil.copy(ROOT / LIST, tmp_path / LIST)
    return tmp_path


def test_every_public_rule_is_listed_once() -> None:
    sets = public_sets(ROOT)
    assert {one.key: len(one.rules) for one in sets} == WANTED
    assert all(len(set(one.rules)) == len(one.rules) for one in sets)


def test_every_public_rule_is_covered_or_said_to_be_impossible() -> None:
    blocks, page = coverage_blocks(ROOT), (ROOT / PAGE).read_text(encoding="utf-8")
    for one in public_sets(ROOT):
        for name in one.rules:
            (row,) = [line for line in blocks[f"coverage of {one.key}"].splitlines() if line.startswith(f"| `{name}` ")]
            _, ours, remark = (cell.strip() for cell in row.strip("|").split("|"))
            assert ours != "none" or remark == one.impossible[name]
            assert row in page


def test_the_sums_are_those_of_the_rows() -> None:
    sums = coverage_blocks(ROOT)["sums"].splitlines()[2:]
    for row in sums:
        *_, rules, covered, partly, impossible = (cell.strip() for cell in row.strip("|").split("|"))
        assert int(rules) == int(covered) + int(partly) + int(impossible)


def test_a_rule_that_corresponds_to_nothing_known_is_refused(checkout: Path) -> None:
    rule = checkout / RULES / "okta_idp_created.yml"
    rule.write_text(
        rule.read_text(encoding="utf-8").replace("- okta/new_idp_created", "- okta/newer"), encoding="utf-8"
    )
    with pytest.raises(CoverageError, match=r"okta_idp_created.yml corresponds to okta/newer, which"):
        coverage_blocks(checkout)


def test_a_public_rule_that_nothing_covers_is_refused(checkout: Path) -> None:
    (checkout / RULES / "okta_rich_client_used.yml").unlink()
    with pytest.raises(CoverageError, match=r"okta/hunt_rich_client_abuse has none, and does not stand under"):
        coverage_blocks(checkout)


def test_what_is_called_impossible_has_no_rule(checkout: Path) -> None:
    text = (checkout / LIST).read_text(encoding="utf-8")
    (checkout / LIST).write_text(
        text.replace("[elastic.impossible]\n", '[elastic.impossible]\nimpact_possible_okta_dos_attack = "x"\n'),
        encoding="utf-8",
    )
    with pytest.raises(CoverageError, match=r"impact_possible_okta_dos_attack has rules that correspond to it, and"):
        coverage_blocks(checkout)


def test_a_remark_is_about_a_rule(checkout: Path) -> None:
    with (checkout / LIST).open("a", encoding="utf-8") as file:
        file.write('\n[sigma.partly]\nnone = "x"\n')
    with pytest.raises(CoverageError, match="sigma has no rule none"):
        coverage_blocks(checkout)


def test_the_rules_are_read_as_their_own_reader_reads_them() -> None:
    pytest.importorskip("sigma")
    from oktalogger.detections.rules.compiler import compile_folder

    compiled = compile_folder(ROOT / RULES)
    found: dict[str, list[str]] = {}
    for detection in sorted(compiled.detections, key=lambda one: one.name):
        for name in compiled.rules[detection.id].own.corresponds:
            found.setdefault(name, []).append(detection.name)
    assert found == corresponding(ROOT)
