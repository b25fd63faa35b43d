from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from local.standins.monitors import detection_id, event_body, rendered
from oktalogger.detections.model import source_hash
from oktalogger.detections.monitors.change import CHANGES, ChangeKind, PlanRefusedError, Wanted, check_deletions
from oktalogger.detections.monitors.compare import normal
from oktalogger.detections.monitors.plan import make_plan
from oktalogger.detections.monitors.report import counts_text
from oktalogger.detections.monitors.stored import Marker, Owner, StoredMonitor

if TYPE_CHECKING:
    from oktalogger.detections.model import RenderedMonitor

OWNER = Owner()
ONE = detection_id(1)


def stored(
    monitor: RenderedMonitor,
    *,
    id: str = "m1",
    version: int = 1,
    marked: int | None = 1,
    owner: Owner = OWNER,
    hash: str = "",
    **changes: Any,
) -> StoredMonitor:
    """A monitor on the server; ``marked`` is the version that its marker names, ``None`` for no marker."""
    content = {**copy.deepcopy(monitor.body), "enabled_time": 5, "owner": "alerting", "ui_metadata": {}, **changes}
    if marked is not None:
        content_hash = source_hash(normal(monitor.body))
        marker = Marker(monitor.detection_id, hash or monitor.source_hash, marked, content_hash, owner.prefix)
        content["ui_metadata"] = marker.as_ui_metadata()
    return StoredMonitor(id, version, 7, 1, content)


def kinds(rules: list[RenderedMonitor], server: list[StoredMonitor], **wanted: Any) -> list[ChangeKind]:
    return [step.kind for step in make_plan(rules, server, OWNER, Wanted(**wanted)).steps]


def test_a_new_rule_is_created() -> None:
    (step,) = make_plan([rendered(1)], [], OWNER).steps
    assert step.kind == ChangeKind.CREATE
    assert step.stored is None


def test_what_we_wrote_last_and_still_want_is_unchanged() -> None:
    assert kinds([rendered(1)], [stored(rendered(1))]) == [ChangeKind.UNCHANGED]


def test_the_server_writing_it_differently_is_no_change() -> None:
    server = stored(rendered(1), some_default_of_a_later_version=1)
    assert kinds([rendered(1)], [server]) == [ChangeKind.UNCHANGED]


def test_a_changed_rule_is_updated_and_the_difference_shown() -> None:
    (step,) = make_plan([rendered(1, query="eventType:y")], [stored(rendered(1))], OWNER).steps
    assert step.kind == ChangeKind.UPDATE
    assert [(found.files, found.server) for found in step.differences] == [("eventType:y", "eventType:x")]


def test_a_removed_rule_is_deleted() -> None:
    assert kinds([], [stored(rendered(1))]) == [ChangeKind.DELETE]


def test_what_is_not_ours_is_counted_and_nothing_else() -> None:
    others = [
        StoredMonitor("f1", 1, 1, 1, {"name": "Somebody's monitor"}),
        StoredMonitor("f2", 1, 1, 1, {"name": f"Copy of oktalogger: x [{ONE}]"}),
        StoredMonitor("f3", 1, 1, 1, {"name": "", "ui_metadata": {"oktalogger": "nonsense"}}),
        StoredMonitor("f4", 1, 1, 1, {"name": "oktalogger: without an id"}),
    ]
    plan = make_plan([rendered(1)], [*others, stored(rendered(1))], OWNER)
    assert [step.kind for step in plan.steps] == [ChangeKind.UNCHANGED]
    assert plan.foreign == 4


def test_another_deployment_on_the_same_cluster_is_foreign() -> None:
    other = Owner("okta-staging")
    monitor = other.own(rendered(1))
    theirs = stored(monitor, owner=other)
    assert theirs.name == f"oktalogger (okta-staging): Rule 1 [{ONE}]"
    plan = make_plan([], [theirs], OWNER)
    assert (plan.steps, plan.foreign) == ((), 1)
    assert [step.kind for step in make_plan([rendered(1)], [theirs], other).steps] == [ChangeKind.UNCHANGED]
    assert make_plan([rendered(1)], [stored(rendered(1))], other).steps[0].kind == ChangeKind.CREATE


def test_an_edit_in_the_console_is_shown_and_left_alone() -> None:
    server = stored(rendered(1), version=2, marked=None, enabled=False)
    (step,) = make_plan([rendered(1)], [server], OWNER).steps
    assert step.kind == ChangeKind.EDITED
    assert [(found.path, found.files, found.server) for found in step.differences] == [("enabled", True, False)]


def test_an_edit_that_kept_the_marker_is_noticed_by_the_version() -> None:
    server = stored(rendered(1), version=2, marked=1, enabled=False)
    assert kinds([rendered(1)], [server]) == [ChangeKind.EDITED]


def test_an_edit_is_left_alone_when_its_rule_changes_too() -> None:
    server = stored(rendered(1), version=2, enabled=False)
    (step,) = make_plan([rendered(1, query="eventType:y")], [server], OWNER).steps
    assert step.kind == ChangeKind.EDITED
    assert "rule has changed" in step.note


@pytest.mark.parametrize("wanted", [{"put_back_all": True}, {"put_back": frozenset({ONE})}])
def test_an_edit_is_put_back_when_asked_for(wanted: dict[str, Any]) -> None:
    server = stored(rendered(1), version=2, marked=None, enabled=False)
    assert kinds([rendered(1)], [server], **wanted) == [ChangeKind.PUT_BACK]


def test_an_edit_is_not_put_back_for_another_rule() -> None:
    server = stored(rendered(1), version=2, marked=None, enabled=False)
    assert kinds([rendered(1)], [server], put_back=frozenset({detection_id(2)})) == [ChangeKind.EDITED]


def test_a_lost_marker_with_the_same_content_is_renewed() -> None:
    server = stored(rendered(1), version=2, marked=None)
    (step,) = make_plan([rendered(1)], [server], OWNER).steps
    assert (step.kind, step.differences) == (ChangeKind.UPDATE, ())
    assert "marker" in step.note


def test_a_write_that_changed_nothing_does_not_stop_a_new_version_of_the_rule_nor_its_removal() -> None:
    server = stored(rendered(1), version=5, marked=1)
    assert kinds([rendered(1, query="eventType:y")], [server]) == [ChangeKind.UPDATE]
    assert kinds([], [server]) == [ChangeKind.DELETE]


def test_a_rename_in_the_console_is_an_edit() -> None:
    server = stored(rendered(1), version=2, name="My rule")
    (step,) = make_plan([rendered(1)], [server], OWNER).steps
    assert (step.kind, step.differences[0].path) == (ChangeKind.EDITED, "name")
    assert kinds([rendered(1)], [server], put_back_all=True) == [ChangeKind.PUT_BACK]


def test_a_copy_under_another_name_is_never_touched() -> None:
    # Made through the API, marker and all; a copy begins at version 1.
    copied = stored(rendered(1), id="copy", marked=3, name="My experiment")
    original = stored(rendered(1), version=3, marked=3)
    assert kinds([rendered(1)], [original, copied], put_back_all=True) == [ChangeKind.UNCHANGED, ChangeKind.COPY]
    assert kinds([rendered(1)], [copied], put_back_all=True) == [ChangeKind.CREATE, ChangeKind.COPY]
    assert kinds([], [copied], put_back_all=True) == [ChangeKind.COPY]


def test_a_marker_of_another_rule_does_not_count() -> None:
    server = stored(rendered(1))
    server.content["ui_metadata"]["oktalogger"]["detection_id"] = detection_id(2)
    assert kinds([rendered(1)], [server]) == [ChangeKind.UPDATE]


def test_of_two_clean_ones_the_current_stays() -> None:
    old = stored(rendered(1, query="old"), id="old", enabled_time=1)
    current = stored(rendered(1), id="current", enabled_time=9)
    plan = make_plan([rendered(1)], [old, current], OWNER)
    assert [(step.kind, step.stored and step.stored.id) for step in plan.steps] == [
        (ChangeKind.UNCHANGED, "current"),
        (ChangeKind.DUPLICATE, "old"),
    ]


def test_of_two_current_ones_the_older_stays_whatever_their_order() -> None:
    first, second = stored(rendered(1), id="a", enabled_time=2), stored(rendered(1), id="b", enabled_time=1)
    for server in ([first, second], [second, first]):
        (_, duplicate) = make_plan([rendered(1)], server, OWNER).steps
        assert duplicate.stored is first


def test_of_two_the_one_changed_by_hand_stays() -> None:
    clean = stored(rendered(1), id="clean", enabled_time=1)
    edited = stored(rendered(1), id="edited", version=2, marked=None, enabled=False, enabled_time=None)
    plan = make_plan([rendered(1)], [clean, edited], OWNER)
    assert [(step.kind, step.stored and step.stored.id) for step in plan.steps] == [
        (ChangeKind.EDITED, "edited"),
        (ChangeKind.DUPLICATE, "clean"),
    ]


def test_a_changed_copy_under_our_name_stays_until_asked() -> None:
    server = [stored(rendered(1), id="a"), stored(rendered(1), id="b", enabled=False)]
    assert kinds([rendered(1)], server) == [ChangeKind.UNCHANGED, ChangeKind.EDITED]
    assert kinds([rendered(1)], server, put_back_all=True) == [ChangeKind.UNCHANGED, ChangeKind.DUPLICATE]


def test_of_two_changed_by_hand_both_stay_until_asked() -> None:
    server = [stored(rendered(1), id=name, version=2, marked=None, enabled=False) for name in ("a", "b")]
    assert kinds([rendered(1)], server) == [ChangeKind.EDITED, ChangeKind.EDITED]
    assert kinds([rendered(1)], server, put_back_all=True) == [ChangeKind.PUT_BACK, ChangeKind.DUPLICATE]


def test_a_removed_rule_that_was_changed_by_hand_stays_until_asked() -> None:
    server = stored(rendered(1), version=2, marked=None)
    assert kinds([], [server]) == [ChangeKind.EDITED]
    assert kinds([], [server], put_back_all=True) == [ChangeKind.DELETE]


def test_nothing_is_deleted_while_rules_are_left_out() -> None:
    assert kinds([], [stored(rendered(1))], keep_orphans=True) == [ChangeKind.KEPT]


def test_a_named_rule_is_written_again_although_it_looks_right() -> None:
    wanted = Wanted.of([ONE])
    (step,) = make_plan([rendered(1)], [stored(rendered(1))], OWNER, wanted).steps
    assert step.kind == ChangeKind.UPDATE
    assert Wanted.of(["all"]) == Wanted(frozenset({"all"}), True, frozenset())


def test_what_the_server_dropped_is_shown_although_nothing_is_to_be_done() -> None:
    server = stored(rendered(1))
    server.content["inputs"][0]["search"]["query"]["query"]["bool"]["filter"][0]["query_string"].pop("query")
    plan = make_plan([rendered(1)], [server], OWNER)
    (step,) = plan.steps
    assert (step.kind, step.differences[0].files) == (ChangeKind.UNCHANGED, "eventType:x")
    assert plan.as_dict()["steps"]


def test_warns_when_a_proxy_hides_the_metadata_and_does_not_write_for_ever() -> None:
    server = [stored(rendered(number), id=str(number)) for number in (1, 2)]
    for monitor in server:
        del monitor.content["ui_metadata"]
    plan = make_plan([rendered(1), rendered(2, query="new")], server, OWNER)
    assert "User-Agent" in plan.warnings[0]
    assert [step.kind for step in plan.steps] == [ChangeKind.UNCHANGED, ChangeKind.EDITED]
    (nobody,) = make_plan([rendered(1)], [stored(rendered(1))], OWNER).warnings
    assert "Nobody is told" in nobody
    assert kinds([rendered(1), rendered(2)], [server[0], stored(rendered(2), id="2")]) == [
        ChangeKind.UPDATE,
        ChangeKind.UNCHANGED,
    ]


def test_two_rules_of_one_id_are_an_error() -> None:
    with pytest.raises(ValueError, match=ONE):
        make_plan([rendered(1), rendered(1)], [], OWNER)


def test_detecting_comes_before_deleting() -> None:
    rules = [rendered(1, query="new"), rendered(2)]
    server = [stored(rendered(1), id="1"), stored(rendered(3), id="3"), stored(rendered(1), id="1b")]
    assert [step.kind for step in make_plan(rules, server, OWNER).changes] == [
        ChangeKind.CREATE,
        ChangeKind.UPDATE,
        ChangeKind.DUPLICATE,
        ChangeKind.DELETE,
    ]
    assert set(CHANGES).isdisjoint({ChangeKind.UNCHANGED, ChangeKind.EDITED, ChangeKind.COPY})


@pytest.mark.parametrize(
    ("removed", "share", "allowed"), [(1, 0.1, True), (2, 0.1, False), (10, 1.0, True), (1, 0.0, False)]
)
def test_too_many_deletions_need_a_confirmation(removed: int, share: float, *, allowed: bool) -> None:
    rules = [rendered(number) for number in range(1, 11)]
    plan = make_plan(rules[removed:], [stored(rule, id=rule.name) for rule in rules], OWNER)
    check_deletions(plan, share=share, confirmed=True)
    if allowed:
        check_deletions(plan, share=share)
    else:
        with pytest.raises(PlanRefusedError, match=f"monitors of {removed} of 10 rules"):
            check_deletions(plan, share=share)


def test_an_empty_folder_deletes_nothing() -> None:
    with pytest.raises(PlanRefusedError, match="confirm_deletions"):
        check_deletions(make_plan([], [stored(rendered(1))], OWNER), share=0.9)


def test_duplicates_do_not_count_as_deletions() -> None:
    server = [stored(rendered(1), id=name) for name in "abcdef"]
    check_deletions(make_plan([rendered(1)], server, OWNER), share=0.0)


def test_says_what_it_holds_in_plain_values() -> None:
    plan = make_plan([rendered(2)], [stored(rendered(1), version=2, marked=None, enabled=False)], OWNER)
    values = plan.as_dict()
    assert values["counts"]["create"] == 1
    assert {step["kind"] for step in values["steps"]} == {"create", "changed by hand"}
    assert counts_text(plan.counts) == "1 create, 1 changed by hand"
    assert plan.only(frozenset({ONE})).counts["create"] == 0


def test_a_name_is_ours_only_in_full() -> None:
    monitor = stored(rendered(1))
    assert OWNER.id_by_name(monitor) == ONE
    for name in (
        "",
        "oktalogger: [",
        f"x oktalogger: a [{ONE}]",
        f"oktalogger: a [{ONE}] copy",
        f"oktalogger (b): a [{ONE}]",
    ):
        assert OWNER.id_by_name(replace(monitor, content={"name": name})) is None


def test_the_same_rule_hashes_differently_under_another_name() -> None:
    monitor = Owner("b").own(rendered(1))
    assert monitor.body["name"] == monitor.name
    assert monitor.source_hash != rendered(1).source_hash
    assert Owner("b").own(monitor) is monitor
    assert event_body(1)["name"] == rendered(1).name


def test_says_so_when_nobody_is_told_of_any_alert() -> None:
    told = replace(rendered(2), channels=("soc",))
    assert "Nobody is told" in make_plan([rendered(1)], [], OWNER).warnings[0]
    assert make_plan([rendered(1), told], [], OWNER).warnings == ()
    assert make_plan([], [], OWNER).warnings == ()


def test_what_dashboards_renamed_and_stripped_is_ours_by_its_trigger() -> None:
    server = stored(rendered(1), version=2, marked=None, name="Tokens", ui_metadata={"schedule": {}})
    (step,) = make_plan([rendered(1)], [server], OWNER).steps
    assert (step.kind, step.differences[0].path) == (ChangeKind.EDITED, "name")
    assert kinds([rendered(1)], [server], put_back_all=True) == [ChangeKind.PUT_BACK]
    # Beside the rule's own it is a copy, and that of another deployment reads other indices.
    assert kinds([rendered(1)], [stored(rendered(1), id="own"), server]) == [ChangeKind.UNCHANGED, ChangeKind.COPY]
    others = stored(rendered(1, index="okta-staging"), version=2, marked=None, name="Tokens", ui_metadata={})
    assert kinds([rendered(1)], [others]) == [ChangeKind.CREATE]


def test_what_was_switched_off_by_hand_is_named() -> None:
    server = stored(rendered(1), version=2, marked=None, enabled=False)
    renamed = stored(rendered(2), id="2", version=2, marked=None, name=f"oktalogger: Other [{detection_id(2)}]")
    plan = make_plan([rendered(1), rendered(2)], [server, renamed], OWNER)
    assert [step.detection_id for step in plan.switched_off] == [ONE]
