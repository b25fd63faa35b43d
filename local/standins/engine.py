"""Answers for OpenSearch itself if a stand-in has none behind it: whether it can run a search.

Nothing is parsed here. A query that holds a text of ``refused`` is refused in the words that a real server had for it,
and every other is accepted. The recorded words are those of 2.19.4 and 3.4.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Answer = tuple[int, Any]

TOO_COMPLEX_2: Final = (
    'MatchNoDocsQuery("failed [actor.displayName] query, caused by too_complex_to_determinize_exception:'
    '[Determinizing .{0,60}!.{0,60} would require more than 10000 effort.]")'
)
TOO_COMPLEX_3: Final = (
    "[okta-system-log-2026-11/qq6XGh_iROe5k-oCxjJRdA] QueryShardException[failed to create query: Determinizing "
    "automaton with 122 states and 181 transitions would require more than 10000 effort.]; nested: "
    "TooComplexToDeterminizeException[Determinizing automaton with 122 states and 181 transitions would require more "
    "than 10000 effort.]"
)

_SHARDS = {"total": 1, "successful": 1, "failed": 0}


def validate(index: str, body: Mapping[str, Any], refused: Mapping[str, str]) -> Answer:
    """Answer ``POST <index>/_validate/query?explain=true&rewrite=false``.

    :param refused: what the server said, by a part of the query
    """
    text = body["query"]["query_string"]["query"]
    said = next((words for part, words in refused.items() if part in text), None)
    if said is not None and "Exception" in said:
        error = {"index": index, "valid": False, "error": said}
        return 200, {"_shards": _SHARDS, "valid": False, "explanations": [error]}
    explanation = {"index": index, "valid": True, "explanation": said or text}
    return 200, {"_shards": _SHARDS, "valid": True, "explanations": [explanation]}


def no_such_index(index: str) -> Answer:
    """Answer either question about an index or alias that is not there."""
    reason = {"type": "index_not_found_exception", "reason": f"no such index [{index}]", "index": index}
    return 404, {"error": {"root_cause": [reason], **reason}, "status": 404}


def search(body: Mapping[str, Any]) -> Answer:
    """Answer a search without hits; a script with an open bracket does not compile, as in the stand-in's dry run."""
    for source in _sources(body.get("aggregations", body.get("aggs", {}))):
        if source.count("(") != source.count(")"):
            return 400, _script_error(source)
    hits: dict[str, Any] = {"total": {"value": 0, "relation": "eq"}, "max_score": None, "hits": []}
    return 200, {"took": 1, "timed_out": False, "_shards": {**_SHARDS, "skipped": 0}, "hits": hits}


def _sources(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "script" and isinstance(value, dict):
                yield value["source"]
            else:
                yield from _sources(value)
    elif isinstance(part, list):
        for item in part:
            yield from _sources(item)


def _script_error(source: str) -> dict[str, Any]:
    why = {"type": "illegal_argument_exception", "reason": "unexpected end of script."}
    cause = {
        "type": "script_exception",
        "reason": "compile error",
        "script": source,
        "lang": "painless",
        "caused_by": why,
    }
    head = {"root_cause": [], "type": "search_phase_execution_exception", "reason": "", "phase": "fetch"}
    return {"error": {**head, "grouped": True, "failed_shards": [], "caused_by": cause}, "status": 400}
