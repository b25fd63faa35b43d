"""Defines what a check is, and runs checks one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from oktalogger.checks.sentences import one_sentence
from oktalogger.okta.errors import OktaError
from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchPermissionError
from oktalogger.resources import ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

State = Literal["ok", "wrong", "note", "not asked"]
"""What a check found; a ``note`` is worth knowing, and nothing has to be done for the load to work."""

Subject = TypeVar("Subject")
Fact = TypeVar("Fact")

ASKING: Final = (OktaError, OpenSearchLoadError, ResourceError)
"""Errors that answer a question: they say what is wrong with what was asked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of one check.

    :param state: what it found
    :param sentence: one sentence: what works, or what is wrong and what to do
    :param detail: the whole error, if there was one
    :param because: the check that was wrong, if this one was left out for it
    """

    state: State
    sentence: str
    detail: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report.

    :param check: the name of the check
    :param about: the connection that was asked; empty if there is only one of its kind
    :param verdict: the answer
    """

    check: str
    about: str
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and XCom."""
        return {
            "check": self.check,
            "about": self.about,
            "state": self.verdict.state,
            "sentence": self.verdict.sentence,
            "detail": self.verdict.detail,
            "because": self.verdict.because,
        }


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """One question.

    :param name: its name, for people and scripts
    :param ask: asks it; it may raise one of ``ASKING``
    :param after: the checks that must have had an answer, and no wrong one
    """

    name: str
    ask: Callable[[Subject], Verdict]
    after: tuple[str, ...] = ()


class Asked(Generic[Fact]):
    """Asks once, whichever check wants the answer first, and remembers it. Asks nothing when it is made.

    :param ask: asks
    """

    def __init__(self, ask: Callable[[], Fact]) -> None:
        self._ask = ask
        self._answered = False
        self._fact: Fact | None = None
        self._error: OktaError | OpenSearchLoadError | ResourceError | None = None

    @property
    def error(self) -> OktaError | OpenSearchLoadError | ResourceError | None:
        """The refusal, or None if there is an answer."""
        if not self._answered:
            self._answered = True
            try:
                self._fact = self._ask()
            except ASKING as error:
                self._error = error
        return self._error

    @property
    def fact(self) -> Fact:
        """The answer.

        :raises Exception: the refusal
        """
        if self.error is not None:
            raise self.error
        return self._fact  # type: ignore[return-value]


def ok(sentence: str) -> Verdict:
    """Return the verdict on something that works."""
    return Verdict("ok", sentence)


def note(sentence: str, detail: object = "") -> Verdict:
    """Return the verdict on something worth knowing."""
    return Verdict("note", sentence, str(detail))


def wrong(sentence: str, detail: object = "") -> Verdict:
    """Return the verdict on something that somebody has to mend."""
    return Verdict("wrong", sentence, str(detail))


def not_asked(sentence: str, detail: object = "") -> Verdict:
    """Return the verdict on something that could not be asked."""
    return Verdict("not asked", sentence, str(detail))


def run(checks: Iterable[Check[Subject]], subject: Subject, *, about: str = "") -> Iterator[Line]:
    """Run checks one after the other.

    :param checks: in the order in which to ask
    :param subject: what they ask about
    :param about: the connection that is asked
    :return: a line for each
    """
    verdicts: dict[str, Verdict] = {}
    for check in checks:
        in_the_way = next((name for name in check.after if verdicts[name].state in ("wrong", "not asked")), None)
        if in_the_way is None:
            verdict = _ask(check, subject)
        else:
            cause = verdicts[in_the_way].because or in_the_way
            verdict = Verdict("not asked", f"Not asked, because of `{cause}`.", because=cause)
        verdicts[check.name] = verdict
        yield Line(check.name, about, verdict)


def _ask(check: Check[Subject], subject: Subject) -> Verdict:
    try:
        return check.ask(subject)
    except OpenSearchPermissionError as error:
        lacks = ", ".join(error.permissions) or "the right to"
        return not_asked(f"This login may not ask for it ({lacks}).", error)
    except ASKING as error:
        return wrong(one_sentence(str(error)), error)
