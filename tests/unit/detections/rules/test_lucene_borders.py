"""What a query's text says at the borders of what it can say, and which sentence comes beyond them."""

from __future__ import annotations

import pytest

from oktalogger.detections.rules import lucene_query as query
from oktalogger.detections.rules.fields import Field
from oktalogger.detections.rules.lucene_query import Clause, Wildcard
from oktalogger.detections.rules.problems import RuleError

NAME = Field("actor.displayName", "keyword")
ADDRESS = Field("client.ipAddress", "ip")
NUMBER = Field("oktalogger.lateness_ms", "long")
TIME = Field("published", "date")


def test_one_clause_alone_stays_as_it_is() -> None:
    clause = Clause("a:b", "a", "b")
    assert query.both([clause]) is clause
    assert query.either([clause]) is clause


def test_letters_count_in_either_case_unless_said_otherwise() -> None:
    assert query.text(NAME, ["Bo"]).text == "actor.displayName:/[Bb][Oo]/"
    assert query.text(NAME, ["Bo"], cased=True).text == "actor.displayName:Bo"


def test_an_expression_keeps_their_case_unless_said_otherwise() -> None:
    assert query.matches(NAME, "^bo$").text == "actor.displayName:/bo/"
    assert query.matches(NAME, "^bo$", ignore_case=True).text == "actor.displayName:/[Bb][Oo]/"


def test_a_part_of_300_characters_can_be_searched_and_none_longer() -> None:
    assert query.text(NAME, [Wildcard.MANY, "x" * 300], cased=True).text == f"actor.displayName:/.*{'x' * 300}/"
    with pytest.raises(RuleError, match="part longer than 300 characters"):
        query.text(NAME, [Wildcard.MANY, "x" * 200, Wildcard.ONE, "x" * 101], cased=True)


def test_an_expression_of_1000_characters_can_be_had_and_none_longer() -> None:
    assert query.text(NAME, ["x" * 250]).text == f"actor.displayName:/{'[Xx]' * 250}/"
    with pytest.raises(RuleError, match="of 1004 characters, and OpenSearch takes 1000"):
        query.text(NAME, ["x" * 251])


def test_a_value_that_no_expression_can_hold_is_refused() -> None:
    with pytest.raises(RuleError, match=r"the value 'a\\tb' cannot be searched"):
        query.text(NAME, ["a\tb"])


class TestAddresses:
    def test_a_network_may_be_named_by_any_address_in_it(self) -> None:
        assert query.cidr(ADDRESS, "10.1.2.3/8").text == 'client.ipAddress:"10.0.0.0/8"'

    def test_only_addresses_lie_in_one(self) -> None:
        with pytest.raises(RuleError, match="holds no IP addresses"):
            query.cidr(NAME, "10.0.0.0/8")

    def test_what_is_no_address_is_refused(self) -> None:
        with pytest.raises(RuleError, match="is an IP address, not 'home'"):
            query.text(ADDRESS, ["home"])


class TestNumbers:
    @pytest.mark.parametrize(
        ("operator", "value", "written"),
        [
            (">=", 0, ">=0"),
            (">", 1, ">1"),
            ("<", 1_000_000, "<1000000"),
            ("<=", 1_000_001, "<=1000001"),
            (">", -1, "{-1 TO *]"),
            (">=", -1, "[-1 TO *]"),
            ("<", -1, "[* TO -1}"),
            ("<=", -1, "[* TO -1]"),
        ],
    )
    def test_they_are_compared_to_the_last_digit(self, operator: str, value: int, written: str) -> None:
        assert query.compare(NUMBER, operator, value).text == f"oktalogger.lateness_ms:{written}"

    def test_another_comparison_is_a_mistake_of_ours(self) -> None:
        with pytest.raises(ValueError, match=r"^==$"):
            query.compare(NUMBER, "==", 1)

    def test_only_numbers_are_compared_with_one(self) -> None:
        for field in (NAME, ADDRESS):
            with pytest.raises(RuleError, match="cannot be compared with a number"):
                query.compare(field, ">", 1)
            with pytest.raises(RuleError, match="cannot be compared with a number"):
                query.number(field, "1")

    def test_of_a_time_the_hour_can_be_compared(self) -> None:
        said = "is a time, and a monitor looks at new events only"
        with pytest.raises(RuleError, match=said):
            query.compare(TIME, ">", 1)
        with pytest.raises(RuleError, match=said):
            query.number(TIME, "1")
