"""A copy of the Terraform code to run things in, and what ``terraform test`` says, read from its JSON stream."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.terraform_cli import ROOT, TerraformError, find_terraform, run_terraform, terraform_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SOURCE = ROOT / "terraform"
EXAMPLES = tuple(sorted(path.name for path in (SOURCE / "examples").iterdir() if path.is_dir()))
MODULES = tuple(sorted(path.name for path in (SOURCE / "modules").iterdir() if path.is_dir()))


@dataclass
class Run:
    """One ``run`` of a test file: how it ended, and what terraform said about it.

    :param state: the state after it, where the tests ran with ``verbose`` and the run applied something
    :param plan: the plan, where the tests ran with ``verbose`` and the run only planned
    """

    file: str
    name: str
    status: str = "missing"
    diagnostics: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None

    @property
    def messages(self) -> str:
        """All that terraform complained about, for people."""
        return "\n".join(_text(diagnostic) for diagnostic in self.diagnostics)

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the values of all resources of one type in the state, by address."""
        assert self.state is not None
        return {
            resource["address"]: resource["values"]
            for resource in _resources(self.state["root_module"])
            if resource["type"] == kind and resource["mode"] == "managed"
        }

    def output(self, name: str) -> Any:
        """Return the value of an output."""
        assert self.state is not None
        return self.state["outputs"][name]["value"]


def _text(diagnostic: Mapping[str, Any]) -> str:
    place = diagnostic.get("range", {})
    where = f" ({place['filename']}:{place['start']['line']})" if place else ""
    return f"{diagnostic['summary']}: {diagnostic.get('detail', '')}{where}"


def _resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)


class Workspace:
    """A copy of ``terraform/`` and of what it reads from ``include/``, in which nothing is left behind.

    :param home: where to copy to
    """

    def __init__(self, home: Path) -> None:
        self.root = home / "terraform"
        self.environ = terraform_environment(home)
        shutil.copytree(SOURCE, self.root, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        shutil.copytree(ROOT / "include" / "opensearch", home / "include" / "opensearch")
        self._ready: set[tuple[Path, str]] = set()

    def init(self, folder: str = ".", directory: str = "tests") -> None:
        """Make ``folder`` ready for other commands, once."""
        key = (self.root / folder, directory)
        if key not in self._ready:
            tests = [f"-test-directory={directory}"] if (key[0] / directory).is_dir() else []
            run_terraform("init", "-backend=false", "-no-color", *tests, folder=key[0], environ=self.environ)
            self._ready.add(key)

    def test(
        self, directory: str = "tests", *, verbose: bool = False, environ: Mapping[str, str] | None = None
    ) -> dict[tuple[str, str], Run]:
        """Run every test file of a folder.

        :param directory: the folder below ``terraform``
        :param verbose: whether the runs are to have states and plans
        :param environ: further environment variables
        :raises TerraformError: where terraform found no tests, or did not come to an end
        """
        self.init(directory=directory)
        command = [find_terraform() or "terraform", "test", "-json", f"-test-directory={directory}"]
        if verbose:
            command.append("-verbose")
        process = subprocess.Popen(
            command, cwd=self.root, env=self.environ | dict(environ or {}), text=True, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        with process:
            runs, rest = _read(process.stdout)
        if not runs or rest:
            raise TerraformError(f"{' '.join(command)}: {rest or 'no runs'}")
        return runs


def _read(lines: Iterator[str]) -> tuple[dict[tuple[str, str], Run], str]:
    """Read the stream; return the runs, and what was said about none of them."""
    runs: dict[tuple[str, str], Run] = {}
    rest = []
    for line in lines:
        message = json.loads(line)
        kind = message["type"]
        if kind == "test_abstract":
            for file, names in message["test_abstract"].items():
                runs |= {(file, name): Run(file, name) for name in names}
        run = runs.get((message.get("@testfile", ""), message.get("@testrun", "")))
        if run is None:
            if kind == "diagnostic" and message["diagnostic"]["severity"] == "error":
                rest.append(_text(message["diagnostic"]))
        elif kind == "test_run" and message["test_run"].get("progress") == "complete":
            run.status = message["test_run"]["status"]
        elif kind == "diagnostic":
            run.diagnostics.append(message["diagnostic"])
        elif kind == "test_state":
            run.state = _without_schemas(message["test_state"])
        elif kind == "test_plan":
            run.plan = _without_schemas(message["test_plan"])
    return runs, "\n".join(rest)


def _without_schemas(document: dict[str, Any]) -> dict[str, Any]:
    # 13 MB a run.
    document.pop("provider_schemas", None)
    return document
