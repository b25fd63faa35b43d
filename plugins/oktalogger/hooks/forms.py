"""Lists the settings of each connection type: hooks read connections, and forms are made, by these tables."""

from __future__ import annotations

from typing import Any, Final

from oktalogger.hooks.extras import Extra

OKTA_EXTRAS: Final = (
    Extra(
        "auth",
        "choice",
        "Login",
        "How to log in: ssws (API token) or private_key_jwt (OAuth 2.0 service app). "
        "If empty: private_key_jwt if a private key is given, otherwise ssws.",
        choices=("ssws", "private_key_jwt"),
    ),
    Extra("client_id", "string", "Client ID", "Client id of the OAuth 2.0 service app, like 0oa1a2b3c4D5E6F7G8h9."),
    Extra(
        "private_key",
        "password",
        "Private key",
        "The service app's private key: a JWK (JSON on one line, as Okta shows it), a JWK set, or PEM; in PEM, \\n may "
        "stand for an end of line. Base64 of any of these works too.",
    ),
    Extra(
        "key_id",
        "string",
        "Key ID",
        "Id (kid) of that key in Okta; a JWK brings its own. Of a set, the key to try first.",
    ),
    Extra(
        "fallback_private_key",
        "password",
        "Fallback key",
        "A second private key of the app, tried if Okta refuses the first, while you change keys.",
        in_form=False,
    ),
    Extra("fallback_key_id", "string", "Fallback key ID", "Id (kid) of the second key in Okta.", in_form=False),
    Extra(
        "dpop",
        "boolean",
        "DPoP",
        "true takes only access tokens bound to a key (DPoP). Otherwise DPoP is used if the app demands it.",
        default=False,
        in_form=False,
    ),
    Extra(
        "scopes",
        "list",
        "Scopes",
        "OAuth scopes to ask for, separated by spaces.",
        default="okta.logs.read",
        in_form=False,
    ),
    Extra(
        "filter",
        "string",
        "Filter",
        "Okta's filter expression (SCIM) for every load of this org. Events that it leaves out are not loaded.",
    ),
    Extra("q", "string", "Keywords", "Keyword search for every load of this org (Okta's q).", in_form=False),
    Extra("proxy", "string", "Proxy", "Proxy to reach Okta through, like http://proxy.example.com:3128."),
    Extra(
        "verify",
        "verify",
        "Verify TLS",
        "true, or the path of a CA bundle on the workers; false turns verification off.",
        default=True,
    ),
    Extra(
        "allow_http",
        "boolean",
        "Allow http",
        "Send the token over plain http to another machine. For test servers only.",
        default=False,
        in_form=False,
    ),
    Extra(
        "timeout",
        "number",
        "Time-out",
        "Read timeout in seconds.",
        default=60,
        lowest=1,
        highest=600,
        in_form=False,
    ),
    Extra(
        "page_limit",
        "integer",
        "Page size",
        "Events per page.",
        default=1000,
        lowest=1,
        highest=1000,
        in_form=False,
    ),
    Extra(
        "admin_url",
        "string",
        "Admin Console",
        "Address of the org's Admin Console, for links, if the host does not tell it (a custom domain).",
        in_form=False,
    ),
    Extra(
        "redaction_key",
        "password",
        "Redaction key",
        "Key of the hashes that OKTALOGGER_REDACT makes: at least 16 characters that nobody can guess.",
        in_form=False,
    ),
)

OKTA_UI: Final[dict[str, Any]] = {
    "hidden-fields": ["schema", "login", "port"],
    "relabeling": {"host": "Org URL", "password": "API token"},
    "placeholders": {
        "host": "https://company.okta.com",
        "password": "for the login ssws; 42 characters beginning with 00",
        "extra": '{"page_limit": 1000}',
    },
}

OPENSEARCH_TYPE: Final = "oktalogger_opensearch"
"""Our own connection type. The community provider's `opensearch` is taken as well, but that has a form of its own."""

OPENSEARCH_UI: Final[dict[str, Any]] = {
    "hidden-fields": ["schema"],
    "relabeling": {"host": "Address", "login": "User"},
    "placeholders": {
        "host": "https://opensearch.example.com",
        "port": "if it is not 443",
        "login": "empty for a client certificate, and for Amazon OpenSearch Service",
        "extra": '{"timeout": 60}',
    },
}

# A switch in the form says false if nobody touches it, so the switches stand only in the JSON of the extras.
OPENSEARCH_EXTRAS: Final = (
    Extra(
        "use_ssl",
        "boolean",
        "TLS",
        "false speaks plain http, also to another machine.",
        default=True,
        in_form=False,
    ),
    Extra(
        "verify_certs",
        "boolean",
        "Verify TLS",
        "Whether the server's certificate must be trusted and name the host.",
        default=True,
        in_form=False,
    ),
    Extra("ca_certs", "string", "CA bundle", "File on the workers with the authorities to trust (PEM)."),
    Extra("client_cert", "string", "Client certificate", "File on the workers with our certificate (PEM)."),
    Extra("client_key", "string", "Client key", "File on the workers with our key (PEM), if not in client_cert."),
    Extra(
        "auth",
        "choice",
        "Login",
        "basic (login and password), sigv4 (AWS), certificate or none. Left out: by the other fields, and sigv4 "
        "for a host of Amazon OpenSearch Service without login.",
        choices=("basic", "sigv4", "certificate", "none"),
    ),
    Extra("region", "string", "AWS region", "Region of the domain, for sigv4. Left out: read from the host."),
    Extra(
        "service",
        "choice",
        "AWS service",
        "es (domain) or aoss (Serverless), for sigv4. Left out: read from the host.",
        choices=("es", "aoss"),
    ),
    Extra(
        "aws_conn_id",
        "string",
        "AWS connection",
        "Airflow connection with the AWS credentials, for sigv4. Left out: the worker's own role.",
    ),
    Extra("url_prefix", "string", "Path", "Path of the API behind a proxy, like opensearch."),
    Extra(
        "scheme",
        "choice",
        "Scheme",
        "https or http; http means use_ssl=false.",
        choices=("https", "http"),
        in_form=False,
    ),
    Extra(
        "timeout",
        "number",
        "Time-out",
        "Seconds that one request may take.",
        default=60,
        lowest=1,
        highest=600,
        in_form=False,
    ),
    Extra("http_compress", "boolean", "Compress", "Whether bodies are compressed.", default=False, in_form=False),
    Extra(
        "dashboards_url",
        "string",
        "Dashboards",
        "Address of OpenSearch Dashboards, for links from Airflow. Takes precedence over OKTALOGGER_DASHBOARDS_URL.",
    ),
    Extra(
        "dashboards_api_url",
        "string",
        "Dashboards for the setup",
        "Address of OpenSearch Dashboards for okta_opensearch_setup, if it is another one than for browsers. Takes "
        "precedence over OKTALOGGER_DASHBOARDS_API_URL.",
    ),
    Extra("dashboards_index_pattern", "string", "Index pattern", "Id of its index pattern. Left out: the alias."),
)
