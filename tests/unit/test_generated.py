"""Index templates, tables of the docs and hashes of mappings are what the declarations say: ``make generate``."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oktalogger.pipeline import added_fields
from tools import public_detections
from tools.generate import (
    DOCUMENT,
    MONTHS,
    ROOT,
    SETTINGS,
    TEMPLATES,
    VERSIONS,
    GenerateError,
    generated,
    template_files,
    version_of,
)


def test_every_generated_file_is_what_the_declarations_say() -> None:
    wrong = [str(path) for path, text in generated().items() if (ROOT / path).read_text(encoding="utf-8") != text]
    assert not wrong, (
        f"{', '.join(wrong)} do not follow their declarations: run `make generate`, and commit what it writes"
    )


def test_every_template_is_found_and_has_a_hash_for_its_version() -> None:
    """No list names them: a template that is added is held from the first day."""
    bodies = {path.name: json.loads(path.read_bytes()) for path in (ROOT / TEMPLATES).glob("*.json")}
    mapped = {name for name, body in bodies.items() if '"properties"' in json.dumps(body)}
    assert {path.name for path in template_files()} == mapped >= {"index-template.json", "ledger-index-template.json"}
    known = json.loads((ROOT / VERSIONS).read_bytes())
    assert {name: max(map(int, hashes)) for name, hashes in known.items()} == {
        name: version_of(bodies[name]) for name in mapped
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that are made."""
    for folder in (TEMPLATES, public_detections.RULES):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for path in (DOCUMENT, SETTINGS, VERSIONS, public_detections.PAGE, public_detections.LIST):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def change(path: Path, edit: Any) -> None:
    body = json.loads(path.read_bytes())
    edit(body)
    path.write_text(json.dumps(body))


@pytest.mark.parametrize("path", template_files(), ids=lambda path: path.name)
def test_a_changed_mapping_or_setting_without_a_new_version_is_refused(path: Path, checkout: Path) -> None:
    def inner(body: dict[str, Any]) -> dict[str, Any]:
        return dict(body.get("template", body))

    change(checkout / path, lambda body: inner(body)["settings"]["index"].update(codec="default"))
    with pytest.raises(GenerateError, match=rf"{path.name} changed.*Raise `version`.*run `make generate`"):
        generated(checkout)
    shutil.copy(ROOT / path, checkout / path)
    if path != MONTHS:
        change(checkout / path, lambda body: inner(body)["mappings"]["properties"].update(new={"type": "keyword"}))
        with pytest.raises(GenerateError, match="would never get the change"):
            generated(checkout)


def test_a_new_lifted_field_needs_a_new_version_and_gets_everywhere(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = replace(added_fields.DEBUG[0], path="debug.prompting_policy", okta="debugContext.debugData.promptingPolicy")
    monkeypatch.setattr(added_fields, "ADDED", (*added_fields.ADDED, new))
    monkeypatch.setattr(
        added_fields, "DEBUG_NAMES", {**added_fields.DEBUG_NAMES, "promptingPolicy": "prompting_policy"}
    )
    with pytest.raises(GenerateError, match=r"index-template\.json changed"):
        generated(checkout)
    version = version_of(json.loads((checkout / MONTHS).read_bytes())) + 1
    change(checkout / MONTHS, lambda body: body.update(version=version))
    texts = generated(checkout)
    body = json.loads(texts[MONTHS])
    assert body["template"]["mappings"]["properties"]["oktalogger"]["properties"]["debug"]["properties"][
        "prompting_policy"
    ] == {"type": "keyword", "ignore_above": added_fields.LONGEST_KEYWORD}
    assert {body["version"], body["_meta"]["version"], body["template"]["mappings"]["_meta"]["version"]} == {version}
    assert str(version) in json.loads(texts[VERSIONS])[MONTHS.name]
    assert "`warning_percent`, `prompting_policy`." in texts[DOCUMENT]


def test_a_page_without_its_marks_is_refused(checkout: Path) -> None:
    (checkout / SETTINGS).write_text("# Settings\n")
    with pytest.raises(GenerateError, match="put them back"):
        generated(checkout)
