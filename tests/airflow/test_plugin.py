"""The package dropped into Airflow's plugins folder."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from oktalogger.get_provider_info import LINKS
from tests.airflow.conftest import ROOT

PLUGINS = ROOT / "plugins"

LOADED = """
import json, logging, sys
before = sys.modules["__main__"]
import airflow.plugins_manager as manager
manager.ensure_plugins_loaded()
if hasattr(manager, "_get_plugins"):
    plugins, errors = manager._get_plugins()
else:
    plugins, errors = manager.plugins, manager.import_errors
print(json.dumps({
    "plugins": [plugin.name for plugin in plugins],
    "links": [type(link).__module__ + "." + type(link).__name__
              for plugin in plugins for link in plugin.operator_extra_links],
    "errors": {str(name): error for name, error in errors.items()},
    "main_is_untouched": sys.modules["__main__"] is before,
    "strays": [name for name in ("client", "errors", "links", "settings", "__init__") if name in sys.modules],
    "file": sys.modules["oktalogger"].__file__,
}))
"""


@pytest.mark.parametrize("syntax", ["glob", "regexp"])
def test_airflow_finds_one_file_in_the_plugins_folder(syntax: str) -> None:
    try:
        files = importlib.import_module("airflow._shared.module_loading")
    except ImportError:  # before 3.2
        files = importlib.import_module("airflow.utils.file")
    walked = files.find_path_from_directory(str(PLUGINS), ".airflowignore", syntax)
    found = [path for path in walked if path.endswith(".py")]
    assert [str(Path(path).relative_to(PLUGINS)) for path in found] == ["oktalogger/plugin.py"]


def test_the_dropped_in_plugin_loads_and_leaves_nothing_behind() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded["plugins"] == ["oktalogger"]
    assert loaded["links"] == list(LINKS)
    assert loaded["errors"] == {}
    assert loaded["main_is_untouched"]
    assert loaded["strays"] == []
    assert loaded["file"] == str(PLUGINS / "oktalogger" / "__init__.py")
