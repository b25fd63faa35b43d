"""A thousand broken rules: none passes `check` without a word, and then finds nothing that the good one found."""

from __future__ import annotations

import difflib
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from opensearchpy import OpenSearch

from oktalogger.detections.rules.compiler import compile_folder
from oktalogger.detections.testing.run import load_cases, scratch_store
from oktalogger.resources import include_dir
from tests.integration.rule_mutants import mutants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oktalogger.detections.model import CompiledDetection

pytestmark = pytest.mark.opensearch

FOLDER = include_dir() / "detections"
LEAST = 1_000
MOST_FOUND = 5_000


@pytest.fixture(scope="module")
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url, timeout=60)
    yield client
    client.close()


def broken_rules(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Write the mutants, each in a folder of its own.

    :return: the rule's file, the fault, and the text, by the name of the folder
    """
    chance = random.Random("a thousand")
    made: dict[str, tuple[str, str, str]] = {}
    lists = (FOLDER / "variables.yml").read_text(encoding="utf-8")
    for path in sorted(FOLDER.glob("okta_*.yml")):
        text = without_tests(path.read_text(encoding="utf-8"))
        for fault, broken in mutants(text, chance):
            name = f"m{len(made)}"
            (folder / name).mkdir()
            (folder / name / path.name).write_text(broken, encoding="utf-8")
            (folder / name / "variables.yml").write_text(lists, encoding="utf-8")
            made[name] = (path.name, fault, broken)
    return made


def without_tests(text: str) -> str:
    """Return a rule without what stands under `oktalogger`, which this is not about."""
    documents = text.split("\n---\n")
    return "\n---\n".join(document.split("\noktalogger:")[0] for document in documents) + "\n"


def _changed(file: str, text: str) -> list[str]:
    good = without_tests((FOLDER / file).read_text(encoding="utf-8")).splitlines()
    return [line for line in difflib.ndiff(good, text.splitlines()) if line[0] in "+-"]


def test_a_broken_rule_is_told_of_or_still_finds_what_the_good_one_did(client: OpenSearch, tmp_path: Path) -> None:
    good = compile_folder(FOLDER)
    by_file = {detection.file: detection for detection in good.detections if not detection.form_of}
    made = broken_rules(tmp_path)
    silent: list[tuple[str, str, str, CompiledDetection]] = []
    told: Counter[str] = Counter()
    for name, (file, fault, text) in made.items():
        compiled = compile_folder(tmp_path / name)
        # Every one of them has no tests, which is a warning and not about the fault.
        said = [problem for problem in compiled.problems if "the rule has no tests" not in problem.message]
        if said or not compiled.detections:
            told[fault] += 1
        else:
            silent += [(file, fault, text, detection) for detection in compiled.detections]
    assert len(made) >= LEAST
    with scratch_store(client) as store:
        load_cases(store, good)

        def found(query: str) -> set[str]:
            body = {"size": MOST_FOUND, "_source": False, "query": {"query_string": {"query": query}}}
            return {hit["_id"] for hit in client.search(index=store.names.alias, body=body)["hits"]["hits"]}

        lost = [
            f"{file}, {fault}: {_changed(file, text)}"
            for file, fault, text, detection in silent
            if not found(detection.selection) & found(by_file[file].selection)
        ]
    assert lost == [], f"{len(lost)} of {len(made)}; told: {told}\n" + "\n".join(lost)
    assert sum(told.values()) > len(made) * 0.7, told
