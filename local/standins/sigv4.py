"""AWS in front of an OpenSearch: it verifies each request's signature, hands out credentials of roles, and passes on.

The signature is computed here from AWS's description of the algorithm, with nothing of botocore's, which signs:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/]+)/(?P<date>\d{{8}})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
# What a collection of Serverless says of the parameter `refresh`.
_NO_REFRESH = (
    """{"error": {"type": "status_exception", "reason": "true refresh policy is not supported."}, "status": 400}"""
)
_MOST_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Key:
    """What one signs with.

    :param token: goes along with temporary credentials
    :param expires: when they end
    :param role: whose they are
    """

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: datetime | None = None
    role: str | None = None


@dataclass
class Asked:
    """A request whose signature was good."""

    method: str
    path: str
    key: Key


@dataclass
class Aws:
    """The side that verifies.

    :param key: of the worker
    :param region: of the domain
    :param service: ``es`` or ``aoss``
    :param roles: ARNs that the worker may assume
    :param lifetime: of a role's credentials
    :param allows: what is served at all, by method and path; None serves everything
    :param tamper: what happens to a body on the way
    :param url: where it serves
    :param asked: the requests whose signature was good
    :param refused: why others were refused, and what was not served
    :param issued: credentials of roles
    :param offset: what the time by which credentials expire is ahead of the real one
    :param after: called after each request
    :param answers: what is answered in OpenSearch's place, by the last part of the path
    """

    key: Key
    region: str = "eu-west-1"
    service: str = "es"
    roles: set[str] = field(default_factory=set)
    lifetime: timedelta = timedelta(hours=1)
    allows: Callable[[str, str], bool] | None = None
    tamper: Callable[[bytes], bytes] = field(default=lambda body: body)
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    issued: list[Key] = field(default_factory=list)
    offset: timedelta = timedelta(0)
    after: Callable[[Aws], None] = field(default=lambda aws: None)
    answers: dict[str, str] = field(default_factory=dict)

    def now(self) -> datetime:
        """The time by which credentials expire; the signature's own date is held against the real one."""
        return datetime.now(UTC) + self.offset

    def verify(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes, service: str) -> Key | str:
        """Return whose request this is, or why it is refused."""
        by_name: dict[str, str] = {}
        for name, value in headers:
            by_name[name.lower()] = " ".join(value.split())
        found = _AUTHORIZATION.fullmatch(by_name.get("authorization", ""))
        if found is None:
            return "Missing Authentication Token"
        key = next((key for key in (self.key, *self.issued) if key.id == found["key"]), None)
        if key is None or by_name.get("x-amz-security-token") != key.token:
            return "The security token included in the request is invalid"
        if key.expires is not None and key.expires <= self.now():
            return "The security token included in the request is expired"
        signed = found["signed"].split(";")
        digest = hashlib.sha256(body).hexdigest()
        if (wrong := self._wrong(found, signed, by_name, digest, service)) is not None:
            return wrong
        path, _, query = target.partition("?")
        canonical = "\n".join(
            [
                method,
                "/".join(quote(part, safe="-_.~") for part in path.split("/")),
                _canonical_query(query),
                *(f"{name}:{by_name[name]}" for name in signed),
                "",
                ";".join(signed),
                digest,
            ]
        )
        scope = f"{found['date']}/{self.region}/{service}/aws4_request"
        to_sign = "\n".join([ALGORITHM, by_name["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
        secret = f"AWS4{key.secret}".encode()
        for part in (found["date"], self.region, service, "aws4_request"):
            secret = hmac.digest(secret, part.encode(), "sha256")
        if not hmac.compare_digest(hmac.new(secret, to_sign.encode(), "sha256").hexdigest(), found["signature"]):
            return "The request signature we calculated does not match the signature you provided."
        return key

    def _wrong(
        self, found: re.Match[str], signed: list[str], by_name: dict[str, str], digest: str, service: str
    ) -> str | None:
        """Say what is wrong beside the signature itself: the headers that it covers, its date, its scope, the body."""
        # opensearch-py up to 3.1 adds this one after it has signed, and AWS takes that: the canonical request holds the
        # body's hash in any case, and below it is compared.
        must = {"host", *(name for name in by_name if name.startswith("x-amz-"))} - {"x-amz-content-sha256"}
        if signed != sorted(signed) or not must <= set(signed):
            return "Credential should be scoped to signed headers: host and all x-amz-*"
        at = datetime.strptime(by_name["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(at - datetime.now(UTC)) > _MOST_SKEW or f"{at:%Y%m%d}" != found["date"]:
            return "Signature expired"
        if found["region"] != self.region:
            return "Credential should be scoped to a valid region."
        if found["service"] != service:
            return f"Credential should be scoped to correct service: '{service}'."
        if by_name.get("x-amz-content-sha256", digest) != digest:
            return "The provided x-amz-content-sha256 header does not match what was computed"
        if service == "aoss" and "x-amz-content-sha256" not in by_name:
            return "x-amz-content-sha256 is missing"
        return None

    def assume(self, body: bytes) -> tuple[int, str]:
        """Answer STS's AssumeRole."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        role = form["RoleArn"]
        if form["Action"] != "AssumeRole" or role not in self.roles:
            return 403, (
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: worker is not "
                f"authorized to perform: sts:AssumeRole on resource: {role}</Message></Error></ErrorResponse>"
            )
        key = Key(f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), secrets.token_hex(40),
                  self.now() + self.lifetime, role)  # fmt: skip
        self.issued.append(key)
        return 200, (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"<AccessKeyId>{key.id}</AccessKeyId><SecretAccessKey>{key.secret}</SecretAccessKey><SessionToken>{key.token}"
            f"</SessionToken><Expiration>{key.expires:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials><AssumedRoleUser>"
            f"<Arn>{role}/session</Arn><AssumedRoleId>AROA:session</AssumedRoleId></AssumedRoleUser></AssumeRoleResult>"
            "</AssumeRoleResponse>"
        )


def _canonical_query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, _, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


@contextmanager
def in_front_of(upstream: str, aws: Aws) -> Iterator[Aws]:
    """Serve in front of an OpenSearch without security, over plain HTTP on this machine.

    :param upstream: its URL
    :param aws: what it knows, and what it will have seen
    """
    lock = threading.Lock()

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
                return self.reply(*self.sts(body), "text/xml")
            with lock:
                who = aws.verify(self.command, self.path, self.headers.items(), aws.tamper(body), aws.service)
                if isinstance(who, str):
                    aws.refused.append(who)
                else:
                    aws.asked.append(Asked(self.command, self.path, who))
                aws.after(aws)
            if isinstance(who, str):
                return self.reply(403, f'{{"message":"{who}"}}', "application/json")
            if aws.allows is not None and not aws.allows(self.command, self.path.partition("?")[0]):
                aws.refused.append(f"{self.command} {self.path}")
                return self.reply(404, "", "application/json")
            if aws.service == "aoss" and "refresh=" in self.path:
                aws.refused.append(f"{self.command} {self.path}")
                return self.reply(400, _NO_REFRESH, "application/json")
            instead = aws.answers.get(self.path.partition("?")[0].rpartition("/")[2])
            return self.pass_on(body) if instead is None else self.reply(200, instead, "application/json")

        def sts(self, body: bytes) -> tuple[int, str]:
            who = aws.verify(self.command, self.path, self.headers.items(), body, "sts")
            return (403, f"<ErrorResponse>{who}</ErrorResponse>") if isinstance(who, str) else aws.assume(body)

        def pass_on(self, body: bytes) -> None:
            server = urlsplit(upstream)
            connection = HTTPConnection(server.hostname or "", server.port, timeout=60)
            kept = ("content-type", "content-encoding", "accept-encoding", "osd-xsrf", "securitytenant")
            headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name in ("content-type", "content-encoding"):
                if value := answer.getheader(name):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
            connection.close()

        def reply(self, status: int, text: str, content_type: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    aws.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield aws
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
