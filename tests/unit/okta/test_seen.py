from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.seen import SeenIdentities


@given(st.lists(st.binary(max_size=3)))
def test_it_knows_what_was_added_and_nothing_else(identities: list[bytes]) -> None:
    seen = SeenIdentities()
    known: set[bytes] = set()
    for identity in identities:
        assert seen.add(identity) is (identity not in known)
        known.add(identity)
        assert len(seen) == len(known)


def test_a_hash_that_is_found_across_the_border_of_two_is_not_known() -> None:
    seen = SeenIdentities()
    seen.add(b"one")
    (name, bucket) = next(iter(seen._buckets.items()))
    rest = bytes(bucket)
    # What the bucket of this identity holds has its hash in it, one byte off.
    seen._buckets[name] = bytearray(b"\0" + rest + b"\0" * 7)
    assert seen.add(b"one")
    assert not seen.add(b"one")
