"""A notifier that remembers what it was told, and fails when it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from oktalogger.compat import BaseNotifier

if TYPE_CHECKING:
    from collections.abc import Sequence


class RecordingNotifier(BaseNotifier):
    """Keeps what all notifiers of this class were told."""

    template_fields: Sequence[str] = ("text",)
    told: ClassVar[list[tuple[str, str]]] = []
    broken: ClassVar[set[str]] = set()

    def __init__(self, *, name: str, text: str = "{{ alert.text }}") -> None:
        super().__init__()
        self.name = name
        self.text = text

    def notify(self, context: Any) -> None:
        if self.name in self.broken:
            raise ConnectionError("the channel is out of order")
        self.told.append((self.name, self.text))
