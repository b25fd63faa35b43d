"""Asks OpenSearch whether it can run a search, before a monitor or a rule relies on it.

OpenSearch calls some queries valid that never match: in a query_string it replaces a too complex expression, a wrong
address or an unmapped field with a clause that matches nothing, and drops that clause when it rewrites the query. Some
faults show only when the search runs: too many clauses in all, a script that does not compile. So each query_string is
explained as it was parsed, and the search is then run without hits (measured on 2.19.4 and 3.4.0).
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.request import call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opensearchpy import OpenSearch

_LONGEST_REASON: Final = 500
# The clause that the query_string's parser puts in place of one that failed. A term with these words would follow its
# field and a colon.
_REPLACED: Final = re.compile(r'(?<![:\w])MatchNoDocsQuery\("((?:failed|unmapped) .*?)"\)')
_INDEX: Final = re.compile(r"^\[[^\]/]+/[^\]]+\] ")
_ADVICE: Final = (
    (
        re.compile("too_complex|TooComplex|Determinizing|automaton is too large", re.IGNORECASE),
        "the regular expression is too complex; let what comes before a part exclude that part, like [^!]*! in place "
        "of .{0,60}!, and repeat less often",
    ),
    (
        re.compile("too_many|TooMany|maxClauseCount|Query string length exceeds", re.IGNORECASE),
        "the rule has too many values; split it, or its list, in two, or look for what the values have in common",
    ),
    (
        re.compile("unmapped field"),
        "an index has no such field; correct its name, or run `python -m oktalogger setup` for the newest mapping",
    ),
    (
        re.compile("compile error|script_exception"),
        "a script does not compile here; update oktalogger, or report it with this message",
    ),
)


def refusals(
    client: OpenSearch,
    index: str,
    search: Mapping[str, Any],
    *,
    title: str,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:
    """Ask OpenSearch for the faults that keep a search from working.

    :param client: the client
    :param index: the index or alias to search; nothing in it changes
    :param search: the body of the search, aggregations included
    :param title: the rule's title, for errors
    :param sleep: waits for a number of seconds
    :return: a sentence for each fault, with what to do; empty if there is none
    :raises OpenSearchLoadError: if OpenSearch cannot be asked, or not by this user
    """
    doing = f"to check the query of {title}"
    texts = list(dict.fromkeys(_query_texts(search["query"])))
    faults: list[str] = []
    for text in texts:
        answer = call(
            client,
            "POST",
            f"/{index}/_validate/query",
            doing=doing,
            index=index,
            params={"explain": "true", "rewrite": "false"},
            body={"query": {"query_string": {"query": text}}},
            sleep=sleep,
        )
        faults += _faults(answer)
    if not faults:
        answer = call(
            client,
            "POST",
            f"/{index}/_search",
            doing=doing,
            index=index,
            # 2.19 and 3.4 answer 500 to too many clauses.
            ignore=(400, 500),
            body=_without_ranges(search, texts),
            sleep=sleep,
        )
        faults += _failures(answer)
    return tuple(dict.fromkeys(_sentence(fault) for fault in faults))


def _query_texts(query: Any) -> Iterator[str]:
    if isinstance(query, dict):
        for key, value in query.items():
            if key == "query_string":
                yield value["query"]
            else:
                yield from _query_texts(value)
    elif isinstance(query, list):
        for part in query:
            yield from _query_texts(part)


def _without_ranges(search: Mapping[str, Any], texts: list[str]) -> dict[str, Any]:
    # A shard with no document in the range does not read the query_string, so faults would not show.
    query = {"bool": {"filter": [{"query_string": {"query": text}} for text in texts]}}
    return {**search, "query": query, "size": 0, "terminate_after": 1}


def _faults(answer: Mapping[str, Any]) -> Iterator[str]:
    for item in answer.get("explanations", ()):
        if not item["valid"]:
            yield str(item.get("error", ""))
        yield from _REPLACED.findall(str(item.get("explanation", "")))


def _failures(answer: Mapping[str, Any]) -> Iterator[str]:
    if "error" in answer:
        yield _reason(answer["error"])
    for failure in answer.get("_shards", {}).get("failures", ()):
        yield _reason(failure.get("reason", failure))


def _reason(error: Any) -> str:
    """Join the reasons of an error and of its causes: a script's fault is the innermost cause."""
    found: list[str] = []
    while isinstance(error, dict):
        if "script" in error:
            found.append(f"script {error['script']!r}")
        found += [str(cause.get("reason")) for cause in (*error.get("root_cause", ()), error) if cause.get("reason")]
        error = error.get("caused_by")
    return ": ".join(dict.fromkeys(found))


def _sentence(fault: str) -> str:
    said = _INDEX.sub("", " ".join(fault.split()))
    if len(said) > _LONGEST_REASON:
        # The cause follows the query's text, which may be long.
        said = f"{said[: _LONGEST_REASON // 2]} ... {said[-_LONGEST_REASON // 2 :]}"
    advice = next((text for pattern, text in _ADVICE if pattern.search(fault)), None)
    return f"OpenSearch cannot run the rule as meant: {f'{advice}. It says: ' if advice else ''}{said}"
