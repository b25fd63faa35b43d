"""Makes text of others harmless where it is shown: in a log, a terminal, a chat, a mail, a page."""

from __future__ import annotations

import html
import re
from typing import Final, Literal, get_args

Markup = Literal["plain", "slack", "markdown", "html"]
"""What a target takes for more than text: ``slack`` is Slack's mrkdwn, ``markdown`` that of Teams and Discord."""
MARKUPS: Final[tuple[Markup, ...]] = get_args(Markup)

# Everything that moves a cursor, colours a terminal or hides what it says, but for tab and line feed: C0, DEL, C1,
# marks that turn the direction of writing, separators of lines, characters without width (the joiners of emoji and of
# Persian stay), tags, and halves of surrogate pairs, which cannot be written at all.
_HIDDEN: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f"
)
_CONTROL: Final = re.compile(f"[{_HIDDEN}]")
_CONTROL_OR_BREAK: Final = re.compile(f"[{_HIDDEN}\t\n]")

# What makes a link, a mention, an element or a template of a text in some chat or mail, and what stands for it: single
# angle quotation marks, and an at sign as wide as a Chinese character.
_ACTIVE: Final = {
    "<": "\u2039",
    ">": "\u203a",
    "://": "[:]//",
    "](": "] (",
    "][": "] [",
    "{{": "{ {",
    "www.": "www[.]",
    "mailto:": "mailto[:]",
    "@": "\uff20",
}
# An @ within a mail address mentions nobody.
_ACTS: Final = re.compile(r"[<>]|://|\]\(|\]\[|\{\{|(?i:\bwww\.)|(?i:mailto:)|(?<![\w.+%-])@(?=\w)")
_HARMFUL: Final = re.compile(f"[{_HIDDEN}\t\n]|{_ACTS.pattern}")


def printable(text: str) -> str:
    """Write control characters as Python writes them, so that a server's words cannot steer a terminal.

    :param text: what a server said, or a sentence with that in it; its lines stay
    """
    return _CONTROL.sub(_written_out, text)


def one_line(value: str) -> str:
    """Write line breaks and tabs out as well, so that a value cannot forge lines of the text that it stands in.

    :param value: a value of an event, or another's name for something
    """
    return _CONTROL_OR_BREAK.sub(_written_out, value)


def harmless(value: str) -> str:
    """Make a value of an event harmless in every chat, mail, log and page: no link, no mention, no markup, one line.

    Characters that act are replaced by others that look alike, so that nobody needs to know where it will be shown.

    :param value: the value; it stays readable, but a search for what is returned may find nothing
    """
    if not is_harmful(value):
        return value
    return _ACTS.sub(lambda found: _ACTIVE[found[0].lower()], one_line(value))


def is_harmful(value: str) -> bool:
    """Return whether a value would act in some chat, mail, log or page, so that ``harmless`` would change it."""
    return _HARMFUL.search(value) is not None


def written_for(markup: Markup, text: str) -> str:
    """Write a whole text so that a target with markup shows it as it is. Plain addresses in it stay links.

    :param markup: what the target takes for markup
    :param text: the text, in which values of events are harmless already
    """
    text = printable(text)
    if markup == "slack":  # Slack, "Formatting text for app surfaces": these three, and no more
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if markup == "html":
        return html.escape(text)
    if markup == "markdown":
        return re.sub(r"([\\`*\[\]<>]|^#)", r"\\\1", text, flags=re.MULTILINE)
    return text


def _written_out(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number and what it counts: ``1 event``, ``2,000 events``.

    :param number: how many
    :param one: the word for one of them
    :param many: the word for several, by default with an s
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
