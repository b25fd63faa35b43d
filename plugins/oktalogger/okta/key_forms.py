r"""The forms in which people have a private key, and which parts of each must never be seen.

PEM as it is, on one line, or with ``\n`` for its line ends; a JWK, a key set or an array of JWKs, as mapping or as
JSON text; either of these in a JSON string once more, or in Base64; DER in Base64, which is PEM without its first and
last line. Secret stores, forms and environment variables turn each of them into the next.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from oktalogger.okta.errors import OktaConfigurationError

KeyMaterial = str | Mapping[str, Any] | Sequence[Any]
KeyForm = str | bytes | Mapping[str, Any]
"""One key: PEM text with its line ends, DER, or a JWK."""

SECRET_NUMBERS = ("d", "p", "q", "dp", "dq", "qi")

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)
# JSON text in JSON text escapes a line end more than once.
_WRITTEN_LINE_END = re.compile(r"(?:\\+[rn])+")
_MAX_WRAPPINGS = 4
_SHORTEST_SECRET_LINE = 16


def key_forms(material: KeyMaterial) -> tuple[KeyForm, ...]:
    """Return each key in a form that a library reads. Whether it is a usable key is not looked at.

    :raises OktaConfigurationError: when this is none of the forms; the message shows nothing of it.
    """
    return tuple(_unwrapped(material, _MAX_WRAPPINGS))


def secret_parts(material: KeyMaterial) -> list[str]:
    """Return what of a key must never be seen: a log may show it whole, line by line, or one number of a JWK.

    :param material: as the connection holds it, usable or not.
    """
    parts = [material] if isinstance(material, str) else [json.dumps(material)]
    try:
        forms = key_forms(material)
    except OktaConfigurationError:
        return parts
    for form in forms:
        if isinstance(form, Mapping):
            parts += [str(form[name]) for name in SECRET_NUMBERS if form.get(name)]
        elif isinstance(form, str):
            lines = [line for line in form.splitlines() if not line.startswith("-----")]
            # A short last line is no secret by itself, and masking it would black out innocent words.
            parts += [form, "".join(lines), *(line for line in lines if len(line) >= _SHORTEST_SECRET_LINE)]
    return parts


def _unwrapped(material: object, wrappings: int) -> Iterator[KeyForm]:
    if isinstance(material, Mapping):
        if isinstance(material.get("keys"), list):
            yield from _each(material["keys"], wrappings)
        else:
            yield material
        return
    if isinstance(material, Sequence) and not isinstance(material, str | bytes):
        yield from _each(material, wrappings)
        return
    if not isinstance(material, str):
        raise OktaConfigurationError("The private key is no JWK: a JWK is a JSON object.")
    text = material.strip().removeprefix("\ufeff")
    if text[:1] in ("{", "[", '"') and wrappings:
        yield from _unwrapped(_from_json(text), wrappings - 1)
    elif "-----BEGIN" in text:
        yield from _pem(text)
    else:
        yield from _from_base64(text, wrappings)


def _each(keys: Sequence[Any], wrappings: int) -> Iterator[KeyForm]:
    if not keys:
        raise OktaConfigurationError("The private key is a set of 0 keys: put the key in.")
    for key in keys:
        if not isinstance(key, Mapping):
            raise OktaConfigurationError("The private key is a set that holds something that is no JWK.")
        yield from _unwrapped(key, wrappings)


def _from_json(text: str) -> Any:
    with suppress(ValueError):
        return json.loads(text, strict=False)  # PEM in JSON may have kept its line ends
    # Out here, because an error raised in a handler carries the one before, and that one holds the whole text.
    raise OktaConfigurationError("The private key begins like a JWK but is no valid JSON.")


def _pem(text: str) -> Iterator[str]:
    if "ENCRYPTED" in text:
        raise OktaConfigurationError("The private key is encrypted: give it without a passphrase.")
    blocks = list(_PEM.finditer(_WRITTEN_LINE_END.sub("\n", text)))
    # OpenSSL writes the curve before a key of the older kind.
    blocks = [block for block in blocks if block[1] != "EC PARAMETERS"]
    if len(blocks) != 1:
        raise (
            _unreadable()
            if not blocks
            else OktaConfigurationError(
                f"The private key is {len(blocks)} keys in PEM, which have no place for their ids: give one as "
                "private_key with key_id, the other as fallback_private_key with fallback_key_id."
            )
        )
    kind, body = blocks[0].groups()
    lines = "\n".join(textwrap.wrap("".join(body.split()), 64))
    yield f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"


def _from_base64(text: str, wrappings: int) -> Iterator[KeyForm]:
    plain = "".join(_WRITTEN_LINE_END.sub("", text).split()).translate(str.maketrans("-_", "+/"))
    try:
        inner = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _unreadable() from None
    if inner[:1] == b"\x30":
        yield inner
        return
    if not wrappings or not inner.isascii() or not (b"-----BEGIN" in inner or inner.lstrip()[:1] in (b"{", b"[", b'"')):
        raise _unreadable()
    yield from _unwrapped(inner.decode("ascii"), wrappings - 1)


def _unreadable() -> OktaConfigurationError:
    return OktaConfigurationError(
        "The private key cannot be read: give it as PEM ('-----BEGIN PRIVATE KEY-----' ...) or as a JWK."
    )
