"""Writes a new rule to start from."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from pathlib import Path

_EVENT: Final = """\
# yaml-language-server: $schema=detection.schema.json
title: {title}
id: {id}
status: experimental
description: >-
  What happened, and why somebody should look at it.
author: your team
date: {today}
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
  - What else looks like this.
level: medium
oktalogger:
  runbook: |
    1. What to look at first.
    2. What to do if it is real.
  tests:
    - name: what must be found
      match: true
      event:
        eventType: system.api_token.create
    - name: what is nearly that, and must not be found
      match: false
      event:
        eventType: system.api_token.create
        outcome: {{result: FAILURE}}
"""

_THRESHOLD: Final = """\
# yaml-language-server: $schema=detection.schema.json
title: {title}
id: {id}
status: experimental
description: >-
  What happened too often, and why somebody should look at it.
author: your team
date: {today}
tags:
  - attack.credential-access
  - attack.t1110
correlation:
  type: event_count
  rules:
    - {name}_event
  group-by:
    - actor.id
  timespan: 10m
  condition:
    gte: 10
falsepositives:
  - What else looks like this.
level: medium
oktalogger:
  throttle: 60m
  runbook: |
    1. What to look at first.
    2. What to do if it is real.
  tests:
    - name: ten in four minutes
      match: true
      events:
        - event: {{eventType: user.session.start, outcome: {{result: FAILURE}}}}
          repeat: 10
          every: 25s
    - name: nine, one too few
      match: false
      events:
        - event: {{eventType: user.session.start, outcome: {{result: FAILURE}}}}
          repeat: 9
          every: 25s
---
title: What is counted
name: {name}_event
logsource:
  product: okta
  service: okta
detection:
  selection:
    eventType: user.session.start
    outcome.result: FAILURE
  condition: selection
"""


def write_skeleton(folder: Path, name: str, *, title: str | None = None, is_threshold: bool = False) -> Path:
    """Write a rule that passes its tests, for the user to change.

    :param folder: the folder of detections
    :param name: the file's name without ending
    :param title: the rule's title
    :param is_threshold: whether it counts
    :return: the file
    :raises ValueError: if the name is not valid, or the file exists
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{2,80}", name):
        raise ValueError(f"{name!r} is not a name for a rule: use small letters, digits and `_`.")
    path = folder / f"{name}.yml"
    text = (_THRESHOLD if is_threshold else _EVENT).format(
        title=title or name.replace("_", " ").capitalize(), id=uuid4(), today=date.today().isoformat(), name=name
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ValueError(f"{path} exists already.") from None
    return path
