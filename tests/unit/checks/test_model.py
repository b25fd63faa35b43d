from __future__ import annotations

import pytest

from oktalogger.checks.model import Asked, Check, Verdict, not_asked, ok, run, wrong
from oktalogger.checks.report import as_dict, is_fine, summary
from oktalogger.checks.sentences import one_sentence
from oktalogger.opensearch.errors import OpenSearchPermissionError, OpenSearchRequestError


def question(name: str, answer: Verdict | Exception, *, after: tuple[str, ...] = ()) -> Check[str]:
    def ask(subject: str) -> Verdict:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Check(name, ask, after)


def test_what_depends_on_something_wrong_is_not_asked_and_names_the_cause() -> None:
    never = KeyError("nobody asks this")
    checks = (
        question("a", wrong("It is wrong.")),
        question("b", never, after=("a",)),
        question("c", never, after=("b",)),
        question("d", ok("Fine.")),
    )
    lines = list(run(checks, "", about="x"))
    assert [(line.check, line.verdict.state, line.verdict.because) for line in lines] == [
        ("a", "wrong", ""),
        ("b", "not asked", "a"),
        ("c", "not asked", "a"),
        ("d", "ok", ""),
    ]
    assert not is_fine(lines)
    assert summary(lines) == "1 ok, 1 wrong, 0 to know, 2 not asked (2 of them because of what is wrong)."
    assert as_dict(lines)["lines"][1]["because"] == "a"


def test_a_refusal_is_an_answer_and_another_error_is_not() -> None:
    [line] = run([question("a", OpenSearchRequestError("It refused this. Correct that."))], "")
    assert (line.verdict.state, line.verdict.sentence) == ("wrong", "It refused this; Correct that.")
    with pytest.raises(KeyError):
        list(run([question("a", KeyError("x"))], ""))


def test_a_missing_right_leaves_the_question_open() -> None:
    refused = OpenSearchPermissionError("No.", user="loader", permissions=("indices:admin/get",))
    [line] = run([question("a", refused)], "")
    assert line.verdict == not_asked("This login may not ask for it (indices:admin/get).", refused)


def test_a_question_is_asked_once_also_if_it_is_refused() -> None:
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise OpenSearchRequestError("No.")

    asking = Asked(ask)
    assert asked == []
    assert isinstance(asking.error, OpenSearchRequestError)
    with pytest.raises(OpenSearchRequestError):
        _ = asking.fact
    assert asked == [1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two! three", "One; Two; three."),
        ("OpenSearch 2.19.4 is at search.example.com.", "OpenSearch 2.19.4 is at search.example.com."),
        ("It has no bundle.json. pySigma is missing.", "It has no bundle.json; pySigma is missing."),
    ],
)
def test_one_sentence(text: str, sentence: str) -> None:
    assert one_sentence(text) == sentence
