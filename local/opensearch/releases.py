"""Names the parts of each OpenSearch release.

Maven has no archive of the whole server. It has one with the server and its HTTP transport, made for integration
tests, and every module as a jar. So a distribution is that archive, plus the modules that we and detections need.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSIONS = ("2.19.4", "3.4.0")
DEFAULT_VERSION = VERSIONS[0]

# Painless and Mustache make classes at run time. Server 2.x runs under Java's security manager and must be told.
_CLASS_LOADER_POLICY = """grant {
  permission java.lang.RuntimePermission "createClassLoader";
  permission java.lang.RuntimePermission "getClassLoader";
};
"""


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the server.

    :param name: its name, and its folder under ``modules``
    :param artifact: its name in Maven, group ``org.opensearch.plugin``
    :param plugin: its class, without the ending that depends on the release: ``Plugin`` in 2.x, ``ModulePlugin`` in 3.x
    :param extends: the modules that it extends
    :param policy: what it may do beyond the server's own rights, in Java's policy format
    """

    name: str
    artifact: str
    plugin: str
    extends: str = ""
    policy: str = ""

    def descriptor(self, version: str) -> str:
        """``plugin-descriptor.properties`` for this module in one release."""
        # One class has had its later name from the beginning.
        ending = "Plugin" if version.startswith("2.") or self.plugin.endswith("Module") else "ModulePlugin"
        properties = {
            "name": self.name,
            "description": self.name,
            "version": version,
            "opensearch.version": version,
            "java.version": "11",
            "classname": self.plugin + ending,
            "extended.plugins": self.extends,
            "has.native.controller": "false",
        }
        return "".join(f"{key}={value}\n" for key, value in properties.items())


MODULES = (
    Module("lang-painless", "lang-painless", "org.opensearch.painless.Painless", policy=_CLASS_LOADER_POLICY),
    Module("mapper-extras", "mapper-extras-client", "org.opensearch.index.mapper.MapperExtras"),
    Module("reindex", "reindex-client", "org.opensearch.index.reindex.Reindex"),
    Module(
        "lang-mustache", "lang-mustache-client", "org.opensearch.script.mustache.Mustache", policy=_CLASS_LOADER_POLICY
    ),
    Module("percolator", "percolator-client", "org.opensearch.percolator.Percolator"),
    Module("ingest-common", "ingest-common", "org.opensearch.ingest.common.IngestCommon", extends="lang-painless"),
    Module("geo", "geo", "org.opensearch.geo.GeoModule"),
    Module("parent-join", "parent-join-client", "org.opensearch.join.ParentJoin"),
)
SECURITY = "opensearch-security"
"""The security plugin: its name in Maven, and its folder under ``plugins``."""
SECURITY_LIBRARIES = {"3": ("org.apache.commons:commons-collections4:4.5.0:jar",)}
"""By major release, what the security plugin takes from the module ``rule-framework``, which Maven does not have."""
