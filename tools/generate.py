"""Writes the files that follow from declarations: ``make generate``. Needs only Python and ``PYTHONPATH=plugins``.

* the object ``oktalogger`` of ``include/opensearch/index-template.json``, and the tables of ``docs/document.md``, from
  ``plugins/oktalogger/pipeline/added_fields.py``;
* the table of ``docs/settings.md``, from ``plugins/oktalogger/settings.py``;
* in every index template the version in each ``_meta``, from its ``version``;
* the tables of ``docs/detections-coverage.md``, from what each rule corresponds to and from
  ``tools/public_detections.toml``;
* ``include/dashboards/saved-objects.ndjson``, from ``tools/dashboards``;
* ``tests/data/mapping-versions.json``: a hash of each template's mappings and settings for each of its versions. A
  cluster is upgraded only if the version rises, so a template that changed without that is an error.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from oktalogger.pipeline import added_fields
from oktalogger.settings import PREFIX, Settings
from tools import dashboards, public_detections

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = Path("include/opensearch")
MONTHS = TEMPLATES / "index-template.json"
VERSIONS = Path("tests/data/mapping-versions.json")
DOCUMENT = Path("docs/document.md")
SETTINGS = Path("docs/settings.md")


class GenerateError(Exception):
    """A declaration is wrong; the message says what to do."""


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Return the text that each file must have.

    :param root: a checkout
    :return: the text of each file, by its path below the checkout
    :raises GenerateError: if a template changed and its version did not
    :raises CoverageError: if a rule corresponds to a public one that nobody knows
    """
    templates = {path: template(root, path) for path in template_files(root)}
    texts = {path: dump(body) + "\n" for path, body in templates.items()}
    texts[VERSIONS] = json.dumps(versions(root, templates), indent=2, sort_keys=True) + "\n"
    texts[DOCUMENT] = with_blocks((root / DOCUMENT).read_text(encoding="utf-8"), document_blocks())
    texts[SETTINGS] = with_blocks((root / SETTINGS).read_text(encoding="utf-8"), {"settings": settings_table()})
    page = (root / public_detections.PAGE).read_text(encoding="utf-8")
    texts[public_detections.PAGE] = with_blocks(page, public_detections.coverage_blocks(root))
    texts[dashboards.FILE] = dashboards.text()
    return texts


def template_files(root: Path = ROOT) -> list[Path]:
    """Return every file that an index gets its mapping from, by its path below the checkout."""
    return [
        path.relative_to(root)
        for path in sorted((root / TEMPLATES).glob("*.json"))
        if "mappings" in made_from(json.loads(path.read_text(encoding="utf-8")))
    ]


def made_from(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an index: the ``template`` of an index template, or the body itself."""
    inner: dict[str, Any] = body.get("template", body)
    return inner


def template(root: Path, path: Path) -> dict[str, Any]:
    """Return one template as it must be."""
    body: dict[str, Any] = json.loads((root / path).read_text(encoding="utf-8"))
    mappings = made_from(body)["mappings"]
    if path == MONTHS:
        mappings["properties"]["oktalogger"] = {"properties": added_fields.mapped_properties()}
    version = version_of(body)
    for meta in (body.get("_meta"), mappings["_meta"]):
        if meta is not None:
            meta["version"] = version
    return body


def version_of(body: dict[str, Any]) -> int:
    """Return the version that a template declares."""
    return int(body["version"] if "version" in body else made_from(body)["mappings"]["_meta"]["version"])


def fingerprint(body: dict[str, Any]) -> str:
    """Return the sha256 of a template's index body, without its mark."""
    inner = made_from(body)
    mappings = {name: value for name, value in inner["mappings"].items() if name != "_meta"}
    content = {"mappings": mappings, "settings": inner.get("settings", {})}
    if "aliases" in inner:
        content["aliases"] = inner["aliases"]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def versions(root: Path, templates: dict[Path, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the hash of each version of each template, new versions included.

    :raises GenerateError: if a template changed and its version did not
    """
    known: dict[str, dict[str, str]] = json.loads((root / VERSIONS).read_text(encoding="utf-8"))
    found: dict[str, dict[str, str]] = {}
    for path, body in templates.items():
        version = version_of(body)
        hashes = dict(known.get(path.name, {}))
        newest = max(map(int, hashes), default=0)
        if hashes.setdefault(str(version), fingerprint(body)) != fingerprint(body) or version < newest:
            raise GenerateError(
                f"The mappings or settings of {path} changed, and its version did not: it is {version}. A cluster that "
                f"has version {newest} would never get the change. Raise `version` at the top of {path} to "
                f"{newest + 1}, then run `make generate`. (If no cluster can have version {newest} yet, because no "
                f"release or main branch had it, remove its line from {VERSIONS} instead.)"
            )
        found[path.name] = dict(sorted(hashes.items(), key=lambda item: int(item[0])))
    return found


def dump(value: Any, indent: str = "") -> str:
    """Write JSON in the form of our templates: a field without sub-fields, a mark and a list are one line each."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False)
    if set(value) == {"managed_by", "version"} or ("type" in value and "fields" not in value and _is_flat(value)):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + "  "
    lines = [f"{inner}{json.dumps(name)}: {dump(item, inner)}" for name, item in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _is_flat(value: dict[str, Any]) -> bool:
    return not any(isinstance(item, dict) for item in value.values())


def with_blocks(text: str, blocks: dict[str, str]) -> str:
    """Put generated text between the marks of a page.

    :raises GenerateError: if the page has no such marks
    """
    for name, content in blocks.items():
        begin, end = f"<!-- {name}: made by `make generate` -->\n", f"<!-- end of {name} -->\n"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise GenerateError(f"A page lacks the lines {begin.strip()!r} and {end.strip()!r}: put them back.")
        text = f"{head}{begin}{content}{end}{tail}"
    return text


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Write a table in Markdown."""
    head = "".join(f"| {column} " if column else "| " for column in columns) + "|"
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(columns), *lines]) + "\n"


def document_blocks() -> dict[str, str]:
    """Return the generated parts of ``docs/document.md``."""

    def of(declared: tuple[added_fields.AddedField, ...]) -> str:
        return table(["field", "type", ""], [[f"`{field.path}`", field.type, field.words] for field in declared])

    kinds: dict[str, list[str]] = {}
    for okta, kind in added_fields.TARGET_KINDS.items():
        kinds.setdefault(kind, []).append(f"`{okta}`")
    targets = [
        [f"`{added_fields.ANY_KIND}`", "all types: the values of all targets together"],
        *([f"`{kind}`", ", ".join(types)] for kind, types in kinds.items()),
        [f"`{added_fields.OTHER_KIND}`", "every type that is not in this table"],
    ]
    debug = ", ".join(f"`{name}`" for name in added_fields.DEBUG_NAMES.values())
    return {
        "fields about the load": of(added_fields.STAMPED),
        "fields lifted": of(added_fields.DERIVED),
        "kinds of targets": table(["kind", "Okta's target types"], targets),
        "debug data": f"{debug}.\n",
    }


def settings_table() -> str:
    """Return the table of ``docs/settings.md``."""
    settings = Settings()
    rows = [
        [f"`{PREFIX}{field.name.upper()}`", shown(getattr(settings, field.name)), field.metadata["words"]]
        for field in fields(Settings)
    ]
    return table(["variable", "default", ""], rows)


def shown(value: Any) -> str:
    """Write a default as a person would set it."""
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    if hasattr(value, "isoformat"):
        value = value.isoformat().replace("+00:00", "Z")
    return f"`{value}`"


def main() -> int:
    """Write every file that is out of date, and print its name."""
    try:
        texts = generated()
    except (GenerateError, public_detections.CoverageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path, text in texts.items():
        if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != text:
            (ROOT / path).write_text(text, encoding="utf-8")
            print(f"{path} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
