"""Rule files for tests: a good one of each kind, and ways to change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from oktalogger.detections.rules.compiler import Compiled

GOOD = """\
title: An API token was made
id: 11111111-1111-4111-8111-111111111111
status: test
description: Somebody made an API token.
tags:
  - attack.persistence
  - attack.t1098.001
logsource:
  product: okta
  service: okta
detection:
  selection:
    eventType: system.api_token.create
    outcome.result: SUCCESS
  condition: selection
falsepositives:
  - A new integration.
level: medium
oktalogger:
  runbook: Ask whoever did it.
  tests:
    - name: made
      match: true
      event: {eventType: system.api_token.create}
    - name: not made
      match: false
      event: {eventType: system.api_token.create, outcome: {result: FAILURE}}
"""

COUNTING = """\
title: Many failed sign-ins
id: 22222222-2222-4222-8222-222222222222
correlation:
  type: event_count
  rules:
    - failed
  group-by:
    - client.ipAddress
  timespan: 10m
  condition:
    gte: 10
level: high
oktalogger:
  throttle: 30m
  tests:
    - name: ten
      match: true
      events:
        - event: {eventType: user.session.start, outcome: {result: FAILURE}}
          repeat: 10
          every: 20s
    - name: nine
      match: false
      events:
        - event: {eventType: user.session.start, outcome: {result: FAILURE}}
          repeat: 9
          every: 20s
---
title: A failed sign-in
name: failed
logsource:
  product: okta
  service: okta
detection:
  selection:
    eventType: user.session.start
    outcome.result: FAILURE
  condition: selection
"""


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Return a text with parts replaced, each of which must be there."""
    for old, new in changes:
        if old not in text:
            raise AssertionError(f"{old!r} is not in the text")
        text = text.replace(old, new, 1)
    return text


def detecting(*lines: str) -> str:
    """Return the good rule with another selection."""
    body = "".join(f"    {line}\n" for line in lines)
    return changed(GOOD, ("    eventType: system.api_token.create\n    outcome.result: SUCCESS\n", body))


def compile_texts(folder: Path, **files: str) -> Compiled:
    """Write files into a folder and compile it."""
    from oktalogger.detections.rules.compiler import compile_folder

    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return compile_folder(folder)


def query_of(folder: Path, *lines: str) -> str:
    """Return the selection that a rule with these detection lines compiles to."""
    compiled = compile_texts(folder, rule=detecting(*lines))
    (detection,) = compiled.strictly()
    return detection.selection
