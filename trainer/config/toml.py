"""Configuration files: TOML into a checked model with readable complaints, and back."""

import difflib
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import ConfigError
from shared.storage.regular_file import read_regular_file

_HOW_TO_SET = "Write, for example, --set optimiser.learning_rate=3e-4."


def read_toml[Config: BaseModel](path: Path, kind: type[Config], *, changes: Sequence[str] = ()) -> Config:
    """Read a file as a configuration of the given kind.

    Args:
        path: The file.
        kind: What it has to be.
        changes: ``table.key=value`` each, in place of what the file says. A value is TOML, or else text.

    Raises:
        ConfigError: The file is not there, is not TOML, has an unknown key or an impossible value.
    """
    where = f"{path} with {', '.join(changes)}" if changes else str(path)
    try:
        tables = tomllib.loads(read_regular_file(path).decode())
        for text in changes:
            _change(tables, text)
        return kind.model_validate(tables)
    except OSError as error:
        raise ConfigError(f"{path}: expected a configuration file, {error.strerror}.") from error
    except ValidationError as error:
        raise ConfigError(describe(error, kind, where=where)) from error
    except (ValueError, RecursionError) as error:  # no TOML, a number of 5,000 digits, or 1,000 tables deep
        raise ConfigError(f"{path}: expected TOML, {error}.") from error


def _change(tables: dict[str, Any], text: str) -> None:
    """Set a key to another value, in place."""
    dotted_key, equals, value = text.partition("=")
    *names, key = dotted_key.strip().split(".")
    if not equals or not key:
        raise ConfigError(f"--set {text}: expected KEY=VALUE, found none.", remedy=_HOW_TO_SET)
    table = tables
    for name in names:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f"--set {text}: expected a table {name}, found {inner!r}.",
                remedy=_HOW_TO_SET,
            )
        table = inner
    try:
        table[key] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[key] = value.strip()


def describe(error: ValidationError, kind: type[BaseModel], *, where: str) -> str:
    """Put every complaint of pydantic on one line that names the key as it stands in the file."""
    known = _keys(kind.model_json_schema())
    lines = []
    for problem in error.errors(include_url=False):
        dotted_key = ".".join(str(part) for part in problem["loc"] if part in known)
        found = problem["input"]
        if problem["type"] == "extra_forbidden":
            *tables, key = (str(part) for part in problem["loc"])
            dotted_key = ".".join([*(table for table in tables if table in known), key])
            near = difflib.get_close_matches(key, known, n=1)
            advice = f"Did you mean {near[0]}?" if near else "Remove it."
            if key in known:
                advice = f"It belongs to {_homes_of(key, kind)}."
            lines.append(f"{where}: {dotted_key}: expected a known key, found {key}. {advice}")
        elif problem["type"] == "union_tag_invalid":
            tag, names = problem["ctx"]["tag"], problem["ctx"]["expected_tags"]
            lines.append(f"{where}: {dotted_key}.name: expected one of {names}, found '{tag}'.")
        elif problem["type"] == "missing":
            lines.append(f"{where}: {dotted_key}: expected a value, found none. Add the key.")
        else:
            message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            shown = "" if isinstance(found, dict) else f", found {found!r}"
            lines.append(
                f"{where}: {dotted_key}: expected {message}{shown}." if dotted_key else f"{where}: {message}"
            )
    return "\n".join(lines)


def _homes_of(key: str, kind: type[BaseModel]) -> str:
    """Name the tables of a file in which a key may stand."""
    fields = kind.model_json_schema()
    tables = fields.get("properties", {})
    homes = ["the top of the file"] if key in tables else []
    for name, table in tables.items():
        if key in _keys({"$defs": {"table": _resolved(table, fields)}}):
            homes.append(f"[{name}]")
    return " or ".join(homes) or "another table"


def _resolved(table: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and put the keys of alternatives side by side."""
    kinds = [table, *table.get("anyOf", ()), *table.get("oneOf", ()), *table.get("allOf", ())]
    names = [kind["$ref"].rpartition("/")[2] for kind in kinds if "$ref" in kind]
    keys: dict[str, Any] = {}
    for name in names:
        definition = schema.get("$defs", {}).get(name, {})
        keys |= definition.get("properties", {}) | _resolved(definition, schema).get("properties", {})
    return {"properties": keys}


def to_toml(config: BaseModel) -> str:
    """Write a configuration so that `read_toml` gives an equal one; values that are None are left out."""
    tables: dict[str, Any] = config.model_dump(mode="json", exclude_none=True)
    plain = {key: value for key, value in tables.items() if not isinstance(value, dict)}
    blocks = [_assignments(plain)]
    blocks += [f"[{key}]\n{_assignments(table)}" for key, table in tables.items() if key not in plain]
    return "\n\n".join(blocks) + "\n"


def _assignments(table: dict[str, Any]) -> str:
    return "\n".join(f"{_key(key)} = {_value(value)}" for key, value in table.items())


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _value(key)


def _value(value: object) -> str:
    """JSON's notation of finite numbers, strings, booleans and lists of them is TOML's too.

    Two things are not: characters written as two surrogates, and the bare control character 127.
    """
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _keys(schema: dict[str, Any]) -> set[str]:
    sections = [schema, *schema.get("$defs", {}).values()]
    return {key for section in sections for key in section.get("properties", {})}
