"""Tries changes: runs the tests that reach each of them, in a forked process, without changing a file.

Python and the tests start once. A change in a function is made by giving the function its changed code, and only the
tests that call the function run, the quickest first. What runs at import (constants, defaults, whatever else is called
before the first test) needs a fresh import of the package, and all tests of the file.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.abc
import importlib.util
import inspect
import os
import select
import signal
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from pathlib import Path
    from types import CodeType, FrameType, ModuleType

    from tools.mutants.changes import Change

# What the package stands on. Loaded before the first fork.
HEAVY: Final = ("hypothesis", "msgspec", "opensearchpy", "requests", "responses", "sigma.collection", "jwt")
PYTEST: Final = ("-q", "-x", "-p", "no:cacheprovider", "--assert=plain", "--tb=no", "-W", "ignore")
# Seconds that a trial may take beyond its tests' own time: a change may make code wait for ever.
PATIENCE: Final = 10.0
SLOWER: Final = 4


class TrialError(Exception):
    """The trials have no result: the tests fail without a change, or their process ended."""


def tried(module: str, source: Path, tests: Sequence[str], changes: Sequence[Change]) -> Iterator[tuple[Change, bool]]:
    """Try changes of one module, and yield each with whether all tests still passed.

    :param module: its dotted name
    :param source: its file
    :param tests: files and folders with the tests that concern it
    :param changes: the changes
    :raises TrialError: if the tests do not pass without a change
    """
    for name in HEAVY:
        importlib.import_module(name)
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    session = _Session(module, source, changes)
    results, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(results)
        session.report = os.fdopen(write, "w")
        _in_silence(lambda: int(pytest.main([*PYTEST, *tests], plugins=[session])))
    os.close(write)
    left = list(changes)
    seconds = 0.0
    with os.fdopen(results) as lines:
        for line in lines:
            what, _, value = line.strip().partition(" ")
            if what == "seconds":
                seconds = float(value)
            else:
                place = int(value)
                left.remove(changes[place])
                yield changes[place], what == "survived"
    _, status = os.waitpid(child, 0)
    if status != 0 or not seconds:
        raise TrialError(f"The tests of {module} fail without a change: pytest {' '.join(tests)}")
    for change in left:
        yield change, _passes(functools.partial(_run_afresh, module, source, tests, change), seconds)


def _run_afresh(module: str, source: Path, tests: Sequence[str], change: Change) -> int:
    sys.meta_path.insert(0, _Changed(module, source, change.source))
    return int(pytest.main([*PYTEST, *tests]))


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with other text than its file has."""

    def __init__(self, module: str, source: Path, text: str) -> None:
        self._module = module
        self._source = source
        self._text = text

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find the one module."""
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._source, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed text."""
        exec(compile(self._text, self._source, "exec", dont_inherit=True), vars(module))  # noqa: S102


class _Session:
    """A pytest plugin: runs all tests once, notes which functions each calls, and then tries each change."""

    def __init__(self, module: str, source: Path, changes: Sequence[Change]) -> None:
        self._module = module
        self._file = str(source)
        self._changes = changes
        self._called: set[int] = set()
        self.report: Any = None
        sys.settrace(None)

    def pytest_sessionstart(self) -> None:
        """Note what is called while the tests are collected."""
        self._watch()

    def _watch(self) -> None:
        threading.settrace(self._note)
        sys.settrace(self._note)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if frame.f_code.co_filename == self._file:
            self._called.add(frame.f_code.co_firstlineno)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests without a change, then with each."""
        at_import = set(self._called)
        reached: list[tuple[float, pytest.Item, set[int]]] = []
        for place, item in enumerate(session.items):
            _forget()
            self._called.clear()
            began = time.monotonic()
            self._watch()
            following = session.items[place + 1] if place + 1 < len(session.items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            reached.append((time.monotonic() - began, item, set(self._called)))
            if session.testsfailed:
                return True
        sys.settrace(None)
        threading.settrace(None)
        self._say("seconds", sum(seconds for seconds, _, _ in reached))
        reached.sort(key=lambda entry: entry[0])
        functions = _functions(sys.modules[self._module])
        for place, change in enumerate(self._changes):
            function = functions.get(change.function)
            if change.body is None or function is None or _within(at_import, function, change):
                continue
            chosen = [(seconds, item) for seconds, item, called in reached if _within(called, function, change)]
            changed = functools.partial(self._run_changed, function, change, [item for _, item in chosen], session)
            survived = not chosen or _passes(changed, sum(seconds for seconds, _ in chosen))
            self._say("survived" if survived else "killed", place)
        return True

    def _say(self, what: str, value: float) -> None:
        self.report.write(f"{what} {value}\n")
        self.report.flush()

    def _run_changed(self, function: Any, change: Change, items: list[pytest.Item], session: pytest.Session) -> int:
        code = _code_of(compile(change.source, self._file, "exec", dont_inherit=True), change.function, function)
        function.__code__ = code
        _forget()
        for place, item in enumerate(items):
            following = items[place + 1] if place + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
        return 0


def _within(called: set[int], function: Any, change: Change) -> bool:
    first, last = function.__code__.co_firstlineno, change.body[1] if change.body else 0
    return any(first <= line <= last for line in called)


def _functions(module: ModuleType) -> dict[str, Any]:
    """Return the module's functions by qualified name, those of its classes too; none of which there are two."""
    found: list[Any] = []

    def gather(owner: Any) -> None:
        for value in vars(owner).values():
            if inspect.isclass(value) and value.__module__ == module.__name__ and value is not owner:
                gather(value)
            for part in (value, *(getattr(value, name, None) for name in ("fget", "fset", "__func__", "func"))):
                plain = inspect.unwrap(part) if callable(part) else None
                if inspect.isfunction(plain) and plain.__code__.co_filename == module.__file__:
                    found.append(plain)

    gather(module)
    unique = {id(function): function for function in found}.values()
    number = Counter(function.__qualname__ for function in unique)
    return {function.__qualname__: function for function in unique if number[function.__qualname__] == 1}


def _code_of(whole: CodeType, name: str, function: Any) -> CodeType:
    waiting = [whole]
    while waiting:
        code = waiting.pop()
        if code.co_qualname == name and code.co_firstlineno == function.__code__.co_firstlineno:
            return code
        waiting += [constant for constant in code.co_consts if inspect.iscode(constant)]
    raise LookupError(f"There is no {name} in the changed file.")


def _forget() -> None:
    """Empty every cache, so that a test reaches all that it stands on, and not only the first one that asks."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("oktalogger", "tests")):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _passes(run: Callable[[], int], seconds: float) -> bool:
    """Run tests in a process of their own, and say whether they pass.

    :param run: runs them, and returns 0 if they pass
    :param seconds: how long they take without a change
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.setsid()

        def told() -> int:
            code = run()
            os.write(write, b"1" if code == 0 else b"0")
            return code

        _in_silence(told)
    os.close(write)
    ready, _, _ = select.select([read], [], [], PATIENCE + SLOWER * seconds)
    answer = os.read(read, 1) if ready else b""
    os.close(read)
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself, and those that it started too
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return answer == b"1"


def _in_silence(run: Callable[[], int]) -> None:
    """Run the rest of this process without output, and end it."""
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        code = run()
    finally:
        os._exit(code)
