"""Imports Airflow once, and runs its command line, or Python, in a fork for each line of JSON on standard input.

A request holds ``arguments``, ``environment`` (whole) and the files that take the command's ``output`` and ``errors``;
``arguments`` are those of Airflow's command line, or ``-c`` and Python to run. The answer is the command's exit code.
Needs nothing of ours, so that a command sees what it would see by itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import traceback
from typing import Any

# What the commands of the tests import at once; a name that a line of Airflow lacks is left out.
WANTED = (
    "airflow.__main__",
    "airflow.cli.commands.dag_command",
    "airflow.cli.commands.db_command",
    "airflow.cli.commands.pool_command",
    "airflow.models.dagbag",
    "airflow.dag_processing.dagbag",
    "airflow.providers_manager",
    "airflow.serialization.serialized_objects",
    # What `dags test` of Airflow 3 answers its tasks with.
    "airflow.api_fastapi.execution_api.app",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.api_fastapi.execution_api.versions",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.utils.db",
)


def run(request: dict[str, Any]) -> int:
    """Run one command in this process, which is a fork of its own."""
    for name, number in (("output", 1), ("errors", 2)):
        file = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    arguments = request["arguments"]
    try:
        if arguments[0] == "-c":
            exec(arguments[1], {"__name__": "__main__"})  # noqa: S102 - the tests' own
        else:
            sys.argv = ["airflow", *arguments]
            importlib.import_module("airflow.__main__").main()
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def serve() -> int | None:
    """Answer requests until there are no more; in a fork return its command's exit code."""
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return run(request)
        _, status = os.waitpid(pid, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()
    return None


# A command must not write into the answers, nor read the requests.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for module in WANTED:
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(module)
gc.freeze()  # a fork shares what the collector does not touch
sys.exit(serve())
