"""The alarms listen for words that the product says."""

from __future__ import annotations

import re

import pytest

from tests.terraform.workspace import SOURCE
from tools.terraform_cli import ROOT

pytestmark = pytest.mark.xdist_group("static")

WORDS = re.findall(r'says\s+= "(.*)"', (SOURCE / "modules" / "alarms" / "words.tf").read_text())


def test_that_there_are_words() -> None:
    assert len(WORDS) == 2


@pytest.mark.parametrize("word", WORDS)
def test_that_the_product_says_them(word: str) -> None:
    said = "".join(file.read_text() for file in (ROOT / "plugins" / "oktalogger" / "operators").glob("*.py"))
    assert word in said
