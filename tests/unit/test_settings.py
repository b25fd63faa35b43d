"""Each setting is declared once: what reads it, its default, and its words."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime

import pytest

from oktalogger.settings import PREFIX, Settings, SettingsError, load_settings
from tools.generate import ROOT, shown


def test_every_setting_has_words_and_a_reader_that_reads_its_default() -> None:
    for setting in fields(Settings):
        default = getattr(Settings(), setting.name)
        assert setting.metadata["words"], setting.name
        if text := shown(default).strip("`"):
            assert setting.metadata["read"](text) == default, setting.name


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load_settings({}) == Settings()
    assert load_settings({PREFIX + setting.name.upper(): " " for setting in fields(Settings)}) == Settings()


def test_settings_cannot_be_changed_and_share_nothing() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().pool = "x"  # type: ignore[misc]
    assert Settings().detection_notifiers is not Settings().detection_notifiers


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("okta_conn_ids", "a, b", ("a", "b")),
        ("start_date", "2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("interval_minutes", "15", 15),
        ("replicas", "2", 2),
        ("reconcile_after_hours", "24,1", (1, 24)),
        ("detections_dir", "pack, /opt/rules", ("pack", "/opt/rules")),
        ("detection_channels_from", "high", "high"),
        ("detection_notifiers", '{"soc": {"class": "a.B"}}', {"soc": {"class": "a.B"}}),
    ],
)
def test_what_variables_say_is_read(name: str, text: str, value: object) -> None:
    assert getattr(load_settings({PREFIX + name.upper(): text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "takes"),
    [
        ("live_share", "0", "over 0 up to 1"),
        ("bulk_threads", "17", "from 1 to 16"),
        ("interval_minutes", "7", "divide an hour: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60"),
        ("interval_minutes", "60.0", "divide an hour"),
        ("index_prefix", "Okta.Log", "small letters"),
        ("detections_dir", ",", "`pack` stands for"),
        ("detections_dir", "pack,pack", "each once"),
        ("detection_channels_from", "loud", "one of informational, low"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_what_is_taken(name: str, text: str, takes: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({PREFIX + name.upper(): text})
    assert str(caught.value).startswith(f"{PREFIX}{name.upper()}={text!r} cannot be used: it takes ")
    assert takes in str(caught.value)


def test_terraform_passes_on_every_setting_by_its_name() -> None:
    text = (ROOT / "terraform" / "variables.tf").read_text()
    (pattern,) = re.findall(r'can\(regex\("(\^OKTALOGGER_[^"]+)"', text)
    assert all(re.match(pattern, PREFIX + setting.name.upper()) for setting in fields(Settings))


def test_there_is_no_start_date_by_itself_and_a_sentence_says_what_to_set() -> None:
    assert load_settings({}).start_date is None
    with pytest.raises(SettingsError, match=r"^OKTALOGGER_START_DATE is not set: set it, .*2026-12-01T00:00:00Z\.$"):
        _ = load_settings({}).begins
    begins = load_settings({"OKTALOGGER_START_DATE": "2026-11-01T01:00:00+01:00"}).begins
    assert begins == datetime(2026, 11, 1, tzinfo=UTC)
