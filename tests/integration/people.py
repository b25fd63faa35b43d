"""Users of a real OpenSearch with the security plugin, with the roles that the setup gives them, and nothing else."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.request import call
from oktalogger.opensearch.roles import ROLES, shipped_roles
from oktalogger.opensearch.setup.security import SecurityDocuments, read_security_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch

    from tests.conftest import SecureOpenSearch

SECURITY = "/_plugins/_security/api"
PASSWORD = "Ein-langes-Passw0rd-9x"


@dataclass(frozen=True)
class People:
    """A deployment's users.

    :param server: the server
    :param names: the deployment
    :param admin: may do everything
    :param users: by role
    """

    server: SecureOpenSearch
    names: IndexNames
    admin: OpenSearch = field(repr=False)
    users: dict[str, str] = field(default_factory=dict)

    def client(self, user: str) -> OpenSearch:
        """Log in, with the test users' common password."""
        return make_client(
            OpenSearchSettings(url=self.server.url, username=user, password=PASSWORD, ca_certs=str(self.server.ca))
        )

    def environ(self, user: str | None = None) -> dict[str, str]:
        """Return what the command line needs to log in; as the administrator where no user is named."""
        return {
            "OKTALOGGER_OPENSEARCH_URL": self.server.url,
            "OKTALOGGER_OPENSEARCH_USERNAME": user or self.server.username,
            "OKTALOGGER_OPENSEARCH_PASSWORD": PASSWORD if user else self.server.password,
            "OKTALOGGER_OPENSEARCH_CA_CERTS": str(self.server.ca),
            "OKTALOGGER_INDEX_PREFIX": self.names.prefix,
        }

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return what Terraform makes (terraform/pipeline.tf), with each role for its user."""
        members = {role: {"backend_roles": [], "users": [user], "hosts": []} for role, user in self.users.items()}
        return {
            "version": 1,
            "domain_arn": "arn:aws:es:eu-west-1:123456789012:domain/x",
            "master_role_arn": "arn:aws:iam::123456789012:role/x-opensearch-master",
            "roles": shipped_roles(self.names.prefix),
            "role_mappings": members,
        } | changes

    def documents(self, **changes: Any) -> SecurityDocuments:
        """Return the same, read."""
        return read_security_documents(json.dumps(self.document(**changes)), self.names, source="the test's documents")

    def forget_roles(self) -> None:
        """Remove our roles from the server; each write makes it load its whole configuration anew, so there are few."""
        for kind in ("rolesmapping", "roles"):
            there = call(self.admin, "GET", f"{SECURITY}/{kind}", doing="to clean up")
            gone = [{"op": "remove", "path": f"/{role}"} for role in ROLES if role in there]
            if gone:
                call(self.admin, "PATCH", f"{SECURITY}/{kind}", doing="to clean up", body=gone)


@contextmanager
def people(server: SecureOpenSearch) -> Iterator[People]:
    """Make users, and remove them with all that a deployment leaves."""
    admin = make_client(
        OpenSearchSettings(url=server.url, username=server.username, password=server.password, ca_certs=str(server.ca))
    )
    tag = uuid.uuid4().hex[:8]
    # Not the beginning of an index: the role own_index gives everybody everything on the index of his own name.
    users = {role: f"user-{tag}-{role.removeprefix('oktalogger_')}" for role in ROLES}
    found = People(server, IndexNames(f"people-{tag}"), admin, users)
    found.forget_roles()
    audit = call(admin, "GET", f"{SECURITY}/audit", doing="to put it back")["config"]
    for user in users.values():
        call(admin, "PUT", f"{SECURITY}/internalusers/{user}", doing="to make a user", body={"password": PASSWORD})
    try:
        yield found
    finally:
        found.forget_roles()
        if call(admin, "GET", f"{SECURITY}/audit", doing="to compare")["config"] != audit:
            call(admin, "PUT", f"{SECURITY}/audit/config", doing="to put it back", body=audit)
        for user in users.values():
            call(admin, "DELETE", f"{SECURITY}/internalusers/{user}", doing="to clean up", ignore=(404,))
        admin.indices.delete(index=f"{found.names.prefix}*", ignore_unavailable=True)
        for template in found.names.templates:
            call(admin, "DELETE", f"/_index_template/{template}", doing="to clean up", ignore=(404,))
        admin.close()
