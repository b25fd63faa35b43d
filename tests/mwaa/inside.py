"""Runs in the environment of one of MWAA's images, and prints what it found there as one line of JSON."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from importlib.metadata import distributions
from typing import Any

from airflow.settings import DAGS_FOLDER

# Needs pySigma, which workers do not have: they read the bundle.
COMPILES_RULES = "oktalogger.detections.rules.sigma"


def dags() -> dict[str, Any]:
    bag_class: Any = importlib.import_module("airflow.models").DagBag
    wanted: dict[str, Any] = {"dag_folder": DAGS_FOLDER}
    if "include_examples" in inspect.signature(bag_class.__init__).parameters:
        wanted["include_examples"] = False
    bag = bag_class(**wanted)
    return {"ids": sorted(bag.dags), "errors": bag.import_errors}


def modules() -> list[str]:
    import oktalogger

    found = []
    for module in pkgutil.walk_packages(oktalogger.__path__, "oktalogger."):
        if not module.name.endswith("__main__") and module.name != COMPILES_RULES:
            importlib.import_module(module.name)
            found.append(module.name)
    return found


def plugins() -> dict[str, Any]:
    manager: Any = importlib.import_module("airflow.plugins_manager")
    manager.ensure_plugins_loaded()
    if hasattr(manager, "_get_plugins"):
        loaded, errors = manager._get_plugins()
    else:
        loaded, errors = manager.plugins, manager.import_errors
    return {"names": [plugin.name for plugin in loaded], "errors": {str(name): str(errors[name]) for name in errors}}


def form() -> list[str]:
    """The fields that the form of an Okta connection has beyond the standard ones."""
    try:
        connections: Any = importlib.import_module("airflow.api_fastapi.core_api.services.ui.connections")
    except ModuleNotFoundError:
        forms: Any = importlib.import_module("airflow.www.forms")
        prefix = "extra__okta__"
        return sorted(
            name.removeprefix(prefix) for name in dir(forms.create_connection_form_class()) if name.startswith(prefix)
        )
    [okta] = [hook for hook in connections.HookMetaService.hook_meta_data() if hook.connection_type == "okta"]
    return sorted(okta.extra_fields or {})


def include() -> dict[str, Any]:
    from oktalogger.detections.bundle import load_detections
    from oktalogger.resources import include_dir

    return {"folder": str(include_dir()), "detections": len(load_detections(include_dir() / "detections"))}


print(
    json.dumps(
        {
            "python": list(sys.version_info[:2]),
            "versions": {one.metadata["Name"].lower(): one.version for one in distributions() if one.metadata["Name"]},
            "dags": dags(),
            "modules": modules(),
            "plugins": plugins(),
            "form": form(),
            "include": include(),
        }
    )
)
