"""The docs say what the code says: tables are made from the code and compared, commands parsed, links followed."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger import __version__
from oktalogger.checks import airflow, dashboards, detections, loads, okta, settings
from oktalogger.checks.opensearch import cluster_checks
from oktalogger.cli import build_parser, environment
from oktalogger.hooks.forms import OKTA_EXTRAS, OPENSEARCH_EXTRAS
from oktalogger.okta import errors as okta_errors
from oktalogger.opensearch import errors as opensearch_errors
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.archive import errors as archive_errors
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.pipeline.ledger import LedgerEntry
from oktalogger.resources import OLD_VARIABLE
from oktalogger.settings import PREFIX, Settings, load_settings
from oktalogger.window import Window
from tools.testing import OPENSEARCH_URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oktalogger.hooks.extras import Extra

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "terraform/troubleshooting.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
# Names what is gone by now as well.
CHANGELOG = ROOT / "CHANGELOG.md"
# Read by the local stack and by tests, which are no part of the package.
LOCAL_VARIABLES = {
    "OKTALOGGER_LOCAL", "OKTALOGGER_MAVEN_REPOSITORY", "OKTALOGGER_TEST_OPENSEARCH_SECURE", OPENSEARCH_URL,
}  # fmt: skip


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def rows(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    table = re.search(r"^\|.*\n\|[-| ]+\n((?:\|.*\n)+)", rest, re.MULTILINE)
    assert table, f"there is no table below {heading!r}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def shown(value: Any) -> str:
    """Write a default as a person would set it."""
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    if hasattr(value, "isoformat"):
        value = value.isoformat().replace("+00:00", "Z")
    return f"`{value}`"


def test_defaults_can_be_set_as_they_are_shown() -> None:
    shown_defaults = {row[0].strip("`"): row[1].strip("`") for row in rows(page("settings.md"), "## In Airflow")}
    assert load_settings(shown_defaults) == Settings()


def test_the_table_of_the_command_lines_variables_is_complete() -> None:
    found = [row[0].strip("`") for row in rows(page("settings.md"), "## On the command line")]
    names = [value for name, value in vars(environment).items() if name.isupper() and isinstance(value, str)]
    assert sorted(found) == sorted(name for name in names if name.startswith(PREFIX))


def extra_rows(table: Sequence[Extra]) -> list[list[str]]:
    kinds = {"verify": "boolean or path", "password": "secret", "list": "words", "object": "JSON object"}
    return [
        [f"`{extra.name}`", kinds.get(extra.kind, extra.kind), shown(extra.default), extra.help.replace("|", "\\|")]
        for extra in table
    ]


@pytest.mark.parametrize(
    ("heading", "table"), [("### Okta's extras", OKTA_EXTRAS), ("### OpenSearch's extras", OPENSEARCH_EXTRAS)]
)
def test_the_connection_tables_are_those_of_the_hooks(heading: str, table: Sequence[Extra]) -> None:
    assert rows(page("connections.md"), heading) == extra_rows(table)


def commands(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command without subcommands by its whole name."""
    nested = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not nested:
        yield " ".join(path), parser
    for action in nested:
        for name, child in action.choices.items():
            yield from commands(child, (*path, name))


def option_rows(parser: argparse.ArgumentParser) -> list[list[str]]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        value = "" if action.nargs == 0 else action.metavar or action.dest.upper()
        name = action.option_strings[-1] if action.option_strings else ""
        found.append(
            [f"`{' '.join(part for part in (name, str(value)) if part)}`", (action.help or "").replace("|", "\\|")]
        )
    return found


def test_the_command_line_page_has_every_command_with_every_option() -> None:
    text = page("command-line.md")
    for name, parser in commands(build_parser()):
        assert rows(text, f"## `{name}`") == option_rows(parser), name
    assert re.findall(r"^## `(.*)`$", text, re.MULTILINE) == [name for name, _ in commands(build_parser())]


def test_the_page_on_checks_has_every_check_in_its_order() -> None:
    groups = (settings, airflow, okta, detections, dashboards, loads)
    names = {group.__name__.rpartition(".")[2]: [check.name for check in group.CHECKS] for group in groups}
    in_order = [*names["settings"], *names["airflow"], *names["okta"], *(one.name for one in cluster_checks()),
                *names["loads"], *names["detections"], *names["dashboards"]]  # fmt: skip
    assert [row[0].strip("`") for row in rows(page("check.md"), "## What it asks")] == in_order


def test_documented_commands_are_such_as_the_parser_takes() -> None:
    parser = build_parser()
    found = 0
    for path in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.split("#")[0].strip()
                if command.startswith("python -m oktalogger "):
                    parser.parse_args(shlex.split(command)[3:])
                    found += 1
    assert found >= 4


def test_commands_of_the_checkout_name_an_environment_that_has_what_they_import() -> None:
    found = 0
    for path in PAGES:
        text = path.read_text()
        for variable, python, module in re.findall(
            r"(PYTHONPATH=plugins )?(\S*python3?) -m ((?:local|tools|deploy)[.\w]*)", text
        ):
            found += 1
            if module == "tools.testing":  # needs nothing
                continue
            assert re.fullmatch(r"[(`]*\.venvs/[\w.-]+/bin/python", python), f"{python} -m {module} in {path.name}"
            file = ROOT.joinpath(*module.split("."))
            source = (file / "__main__.py" if file.is_dir() else file.with_suffix(".py")).read_text()
            assert bool(variable) == ("from oktalogger" in source), f"{module} in {path.name}"
    assert found >= 7


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in PAGES:
        text = path.read_text()
        found = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
        assert found <= targets, path.name


def test_every_variable_of_ours_that_a_page_names_exists() -> None:
    known = {PREFIX + field.name.upper() for field in fields(Settings)} | {OLD_VARIABLE} | LOCAL_VARIABLES
    known |= {value for value in vars(environment).values() if isinstance(value, str) and value.startswith(PREFIX)}
    known |= set(environment.OTHER_OPENSEARCH_VARIABLES.values())
    for path in PAGES:
        found = set(re.findall(r"\bOKTALOGGER_[A-Z_]*[A-Z]\b", path.read_text()))
        assert found <= known, path.name


def examples(path: Path) -> list[dict[str, Any]]:
    """Return the documents that a page shows; all that is marked as JSON has to be JSON."""
    found = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", path.read_text(), re.DOTALL)]
    return [example for example in found if "oktalogger" in example]


def test_the_example_is_what_the_load_makes_of_its_event() -> None:
    (example,) = examples(ROOT / "docs" / "document.md")
    ours = example["oktalogger"]
    event = {name: value for name, value in example.items() if name != "oktalogger"}
    window = Window(*(datetime.fromisoformat(ours[name]) for name in ("window_start", "window_end")))
    builder = DocumentBuilder(Stamp(ours["org"], window, ours["run_id"], ours["load_kind"]), IndexNames())
    built = builder.build(json.dumps(event).encode(), datetime.fromisoformat(ours["ingested_at"]))
    assert isinstance(built, Built)
    assert json.loads(built.document.source) == example


def test_the_short_example_is_a_part_of_the_whole_one() -> None:
    (whole,) = examples(ROOT / "docs" / "document.md")
    (short,) = examples(ROOT / "README.md")
    assert is_part(short, whole)


def is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(name in whole and is_part(part[name], whole[name]) for name in part)
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(is_part(one, other) for other in whole) for one in part)
    return bool(part == whole)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_is_marked_as_json_is_json(path: Path) -> None:
    examples(path)


def test_the_ledgers_fields_are_named() -> None:
    found = {name for row in rows(page("operations.md"), "### The ledger") for name in re.findall(r"`(\w+)`", row[0])}
    assert found == set(LedgerEntry.__struct_fields__)


def test_every_error_is_explained() -> None:
    text = page("operations.md")
    for module in (okta_errors, opensearch_errors, archive_errors):
        for name, kind in vars(module).items():
            if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == module.__name__:
                row = re.search(rf"^\| `{name}` \| (\w+) \|", text, re.MULTILINE)
                if name in ("OktaError", "OktaApiError", "OpenSearchLoadError", "OktaPagingError", "ArchiveError"):
                    assert not row, f"{name} is a base, and never raised itself"
                    continue
                assert row, f"{name} is not explained"
                assert row[1] == ("yes" if kind.retryable else "no"), name  # type: ignore[attr-defined]


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[(.+?)\] - (unreleased|\d{4}-\d\d-\d\d)$", CHANGELOG.read_text(), re.MULTILINE)
    assert versions[0][0] == __version__
    assert all(date != "unreleased" for _, date in versions[1:])


def anchor(heading: str) -> str:
    """Return the fragment by which GitHub reaches a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


@pytest.mark.parametrize("path", [*PAGES, CHANGELOG], ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, fragment = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists() or found.name == "grid.png", f"{target} is not there"
        assert ROOT in found.parents
        if fragment:
            headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            assert fragment in {anchor(heading) for heading in headings}, f"{target} is no heading"


def test_the_scale_page_reckons_with_what_the_benchmarks_page_measured() -> None:
    measured = {row[0]: row[-1] for row in rows(page("benchmarks.md"), "## Figures")}
    worker, server = measured["CPU seconds for a million events: load's process"], measured["OpenSearch meanwhile"]
    (disk,) = re.findall(r"^\| bytes on disk for an event \| (\d+) \|$", page("benchmarks.md"), re.MULTILINE)
    text = page("scale.md")
    assert f"as {worker} on a worker and {server} on OpenSearch" in text
    assert f"Disk is {disk} bytes for each event" in text
    for name, seconds in (("workers a day", worker), ("OpenSearch a day, at most", server)):
        (line,) = [line for line in text.splitlines() if line.startswith(f"| CPU seconds of {name} |")]
        for millions, said in zip((1, 10, 100), line.split("|")[2:5], strict=True):
            assert float(said.split(":")[0].replace(",", "")) == pytest.approx(
                3.2 * millions * float(seconds), rel=0.005
            )
