"""Damages what is stored, as people and tools do: deletes a month, puts copies behind the alias, spoils the alias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import requests

from local.campaign.plan import MONTH_DELETED

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.campaign.stored import Holdings

_COPIED: Final = 1000


class Damage:
    """Does the damage to an OpenSearch, past the proxy.

    :param holdings: the OpenSearch
    :param disturbing: called right before and right after each damage is done
    """

    def __init__(self, holdings: Holdings, disturbing: Callable[[], object]) -> None:
        self._holdings = holdings
        self._disturbing = disturbing
        self._alias = holdings.prefix
        self._copies = 0

    def do(self, kind: str) -> bool:
        """Do one kind of damage to the newest month; say whether there was a month."""
        try:
            aliases = self._holdings.ask("GET", f"/{self._alias}-20*/_alias")
        except requests.HTTPError:
            return False
        months = sorted(name for name in aliases if name.count("-") == 2)
        if not months:
            return False
        month = months[-1]
        self._disturbing()
        match kind:
            case "month-copied":
                self._copy(month)
            case "alias-filtered":
                self._filter(month)
            case "alias-lost":
                self._take(month, self._alias)
            case "write-alias-lost":
                self._take(month, f"{month}-write")
            case _:
                assert kind == MONTH_DELETED, kind  # noqa: S101
                self._holdings.ask("DELETE", f"/{month}")
        self._disturbing()
        return True

    def _copy(self, month: str) -> None:
        """Copy a part of a month into an index behind the alias, as restoring a snapshot under another name does."""
        self._copies += 1
        copy = f"{self._alias}-copy-{self._copies}"
        mappings = self._holdings.ask("GET", f"/{month}/_mapping")[month]["mappings"]
        self._holdings.ask("PUT", f"/{copy}", {"mappings": mappings, "settings": {"number_of_replicas": 0}})
        body = {"max_docs": _COPIED, "source": {"index": month}, "dest": {"index": copy}}
        self._holdings.ask("POST", "/_reindex?refresh=true", body)
        self._change({"add": {"index": copy, "alias": self._alias, "is_write_index": False}})

    def _filter(self, month: str) -> None:
        now = self._holdings.ask("GET", f"/{month}/_alias")[month]["aliases"].get(self._alias, {})
        newest = now.get("is_write_index", False)
        only = {"term": {"severity": "WARN"}}
        self._change({"add": {"index": month, "alias": self._alias, "filter": only, "is_write_index": newest}})

    def _take(self, month: str, alias: str) -> None:
        try:
            self._change({"remove": {"index": month, "alias": alias}})
        except requests.HTTPError as error:
            if error.response.status_code != requests.codes.not_found:  # it was taken already
                raise

    def _change(self, action: dict[str, Any]) -> None:
        self._holdings.ask("POST", "/_aliases", {"actions": [action]})
