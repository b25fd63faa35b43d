"""Reads a connection's extras strictly, by one table per connection type.

The form in the Airflow UI, the check of the values, and the docs follow from the table, on every line of Airflow.
Extras are read one by one and never passed on as a whole, so that who edits a connection cannot pass arbitrary
arguments to a client. This module imports no Airflow, because every Airflow process reads the provider info when it
starts.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


ExtraKind = Literal["string", "password", "boolean", "number", "integer", "choice", "list", "verify"]

_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


class ConnectionSettingsError(ValueError):
    """An Airflow connection cannot be used; the message names it and says what to change."""


@dataclass(frozen=True, slots=True)
class Extra:
    """One key that a connection's extras may hold.

    :param name: the key
    :param kind: the type of its value; ``verify`` is a switch or the path of a CA bundle, ``list`` is a JSON array or
        words separated by spaces or commas
    :param label: its name in the form
    :param help: one sentence for the form and the docs
    :param default: the value if it is absent, for the form and the docs
    :param choices: the values of a ``choice``
    :param lowest: smallest number
    :param highest: greatest number
    :param in_form: whether the form has a field for it; if not, users give it in the JSON of the extras
    """

    name: str
    kind: ExtraKind
    label: str
    help: str
    default: str | float | bool | None = None
    choices: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    in_form: bool = True

    def read(self, value: Any) -> Any:
        """Convert a value, JSON or text from a connection URI, to the type that ``kind`` names.

        :raises ValueError: if it does not fit; the message names the values that do
        """
        if self.kind == "boolean":
            return _boolean(value)
        if self.kind == "verify":
            try:
                return _boolean(value)
            except ValueError:
                if isinstance(value, str):
                    return value
                raise
        if self.kind in ("integer", "number"):
            return self._number(value)
        if self.kind == "list":
            return _words(value)
        if self.kind == "password" and isinstance(value, dict | list):
            return json.dumps(value)  # a JWK or a set of them, written into the JSON of the extras as an object
        if not isinstance(value, str):
            raise ValueError("text")
        if self.kind == "choice" and value.strip().lower() not in self.choices:
            raise ValueError("one of " + ", ".join(self.choices))
        return value.strip().lower() if self.kind == "choice" else value.strip()

    def _number(self, value: Any) -> float | int:
        whole = self.kind == "integer"
        wanted = f"a {'whole ' if whole else ''}number from {self.lowest} to {self.highest}"
        # Not raised in the handler: the new error would carry the first one, which quotes the value.
        number = None
        with suppress(TypeError, ValueError):
            number = int(value) if whole else float(value)
        fits = number is not None and (self.lowest or 0) <= number <= (self.highest or float("inf"))
        if number is None or not fits or isinstance(value, bool):
            raise ValueError(wanted)
        return number


def read_extras(conn_id: str, extras: Mapping[str, Any], table: Sequence[Extra]) -> tuple[dict[str, Any], list[str]]:
    """Read a connection's extras by its table.

    Empty text and ``null`` count as absent, because forms send them for fields left empty.

    :param conn_id: for the error message
    :param extras: as the connection holds them
    :param table: the extras that the type takes
    :return: the values found, and the keys that are not in the table
    :raises ConnectionSettingsError: if a value cannot be used; the message does not repeat it, as it may be secret
    """
    known = {extra.name: extra for extra in table}
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in extras.items():
        if name not in known:
            unknown.append(name)
            continue
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        try:
            values[name] = known[name].read(value)
        except ValueError as error:
            raise ConnectionSettingsError(
                f"The extra `{name}` of the connection `{conn_id}` takes {error}. {known[name].help}"
            ) from None
    return values, sorted(unknown)


def names(table: Iterable[Extra]) -> str:
    """Return the keys of a table as text for an error message."""
    return ", ".join(extra.name for extra in table)


def conn_fields(table: Iterable[Extra]) -> dict[str, dict[str, Any]]:
    """Return the form's fields as Airflow 3.2 and later read them from the provider info."""
    fields: dict[str, dict[str, Any]] = {}
    for extra in table:
        if not extra.in_form:
            continue
        schema: dict[str, Any] = {"type": [_JSON_TYPES.get(extra.kind, "string"), "null"]}
        if extra.kind == "password":
            schema["format"] = "password"
        if extra.kind == "choice":
            # Without null, which the form would show as a word; a field left empty sends it all the same.
            schema["enum"] = list(extra.choices)
        if extra.kind in ("integer", "number"):
            schema |= {"minimum": extra.lowest, "maximum": extra.highest}
        fields[extra.name] = {"label": extra.label, "description": extra.help, "schema": schema}
    return fields


_JSON_TYPES = {"boolean": "boolean", "integer": "integer", "number": "number"}


def form_widgets(table: Iterable[Extra]) -> dict[str, Any]:
    """Return the form's fields as Airflow 2.11 and 3.0 expect them from a hook.

    Airflow allows four field classes here, so a choice is a text field with a validator.
    """
    # Only the web server has these modules; on Airflow 3 it replaces them with stand-ins while it calls this.
    from flask_appbuilder.fieldwidgets import (  # type: ignore[import-not-found]
        BS3PasswordFieldWidget,
        BS3TextFieldWidget,
    )
    from wtforms import BooleanField, IntegerField, PasswordField, StringField  # type: ignore[import-untyped]
    from wtforms.validators import Optional, any_of  # type: ignore[import-untyped]

    widgets: dict[str, Any] = {}
    for extra in table:
        if not extra.in_form:
            continue
        if extra.kind == "boolean":
            widgets[extra.name] = BooleanField(extra.label, description=extra.help)
        elif extra.kind == "integer":
            widgets[extra.name] = IntegerField(
                extra.label, description=extra.help, widget=BS3TextFieldWidget(), validators=[Optional()]
            )
        elif extra.kind == "choice":
            widgets[extra.name] = StringField(
                extra.label,
                description=extra.help,
                widget=BS3TextFieldWidget(),
                validators=[Optional(), any_of(list(extra.choices))],
            )
        elif extra.kind == "password":
            widgets[extra.name] = PasswordField(extra.label, description=extra.help, widget=BS3PasswordFieldWidget())
        else:
            widgets[extra.name] = StringField(extra.label, description=extra.help, widget=BS3TextFieldWidget())
    return widgets


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("true or false")


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                raise ValueError("a list of words") from None
        else:
            value = value.replace(",", " ").split()
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise ValueError("a list of words")
    return tuple(value)
