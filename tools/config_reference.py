"""Write docs/configuration.md from the configuration models: `python -m tools.config_reference`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from shared.storage.files import write_durably
from trainer.config.run import TrainConfig
from trainer.networks.config import OwnModel
from trainer.networks.imported import ImportedModel
from trainer.paper.plan import AblationConfig

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
INTRODUCTION = """\
# Configuration

<!-- Written by `python -m tools.config_reference` from the models in trainer/ and shared/. Do not edit. -->

`meshcycle train` and `meshcycle ablate` read a TOML file. A key that does not exist, or a value out of range,
is an error that names the key; everything that is left out has the default below. Relative paths are relative
to the working directory. The resolved configuration of a run lies in its `run_dir` as `config.toml`, and
beside every checkpoint. `configs/` has one file per published experiment.

What is called *required* has no default. Where the paper leaves a choice open, the description says so.
"""
CONSTRAINTS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
    "multipleOf": "a multiple of",
}
TYPES = {
    "integer": "integer",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "nothing",
}


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "## Training runs: `meshcycle train`\n"]
    parts += _model(TrainConfig, skip=("model",))
    networks = TypeAdapter(OwnModel).json_schema()
    definitions = _without_names_of_values(networks["$defs"], networks["$defs"])
    for name, reference in networks["discriminator"]["mapping"].items():
        schema = definitions[reference.rsplit("/", maxsplit=1)[-1]]
        parts.append(_section(f'[model] with name = "{name}"', schema))
    imported = ImportedModel.model_json_schema()
    imported = _without_names_of_values(imported, imported["$defs"])
    parts.append(_section('[model] with name = "package.module:Name"', imported))
    parts.append("## Ablations: `meshcycle ablate`\n")
    parts += _model(AblationConfig, skip=("train",), only=("AblatedModel", "EvaluationSet"))
    return "\n".join(parts)


def _model(model: type[BaseModel], *, skip: tuple[str, ...], only: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the keys of a file, then each of its tables."""
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    schema = _without_names_of_values(schema, definitions)
    definitions = _without_names_of_values(definitions, definitions)
    tables = {key: name for key, value in schema["properties"].items() if (name := _definition(value))}
    plain = {key: value for key, value in schema["properties"].items() if key not in tables}
    yield _section("Keys outside of tables", schema | {"properties": plain})
    for key, name in tables.items():
        if key in skip or (only and name not in only):
            continue
        is_named = "additionalProperties" in schema["properties"][key]
        yield _section(f"[{key}.NAME]" if is_named else f"[{key}]", definitions[name])
        for inner, value in definitions[name]["properties"].items():
            if value.get("type") == "array" and (each := _definition(value.get("items", {}))):
                yield _section(f"[[{key}.{inner}]]", definitions[each])


def _without_names_of_values(schema: Any, definitions: dict[str, Any]) -> Any:
    """Put what is not a table, such as a choice with a name of its own, in the place of references to it."""
    if isinstance(schema, list):
        return [_without_names_of_values(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    target = definitions.get(str(schema.get("$ref", "")).rsplit("/", maxsplit=1)[-1])
    if target is not None and "properties" not in target and "oneOf" not in target:
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return {key: _without_names_of_values(value, definitions) for key, value in schema.items()}


def _definition(value: dict[str, Any]) -> str | None:
    """Return the section that a key stands for, if it is a table."""
    nested = value.get("additionalProperties")
    for option in (value, *value.get("anyOf", ()), *([nested] if isinstance(nested, dict) else ())):
        if "$ref" in option:
            return str(option["$ref"]).rsplit("/", maxsplit=1)[-1]
    return None


def _section(heading: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [_row(key, value, is_required=key in required) for key, value in schema["properties"].items()]
    table = ["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join(
        (
            f"### `{heading}`" if "[" in heading else f"### {heading}",
            "",
            schema["description"],
            "",
            *table,
            "",
        )
    )


def _row(key: str, value: dict[str, Any], *, is_required: bool) -> str:
    if is_required:
        default = "*required*"
    else:
        default = "" if value.get("default") is None else f"`{json.dumps(value['default'])}`"
    meaning = " ".join(value.get("description", "").split()).replace("``", "`")
    return f"| `{key}` | {_kind(value)} | {default} | {meaning} |".replace("  ", " ")


def _kind(value: dict[str, Any]) -> str:
    """Say in words what a value may be."""
    if _definition(value):
        return "a table"
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return ", ".join(f"`{json.dumps(each)}`" for each in value["enum"])
    if "anyOf" in value:
        return " or ".join(_kind(each) for each in value["anyOf"] if each.get("type") != "null")
    if value.get("type") == "array":
        if "prefixItems" in value:
            return f"list of {len(value['prefixItems'])}: {_kind(value['prefixItems'][0])}"
        return "tables" if _definition(value["items"]) else f"list of {_kind(value['items'])}"
    if value.get("format") == "path":
        return "path"
    if value.get("type") == "object":
        return "a table"
    limits = [f"{word} {_number(value[name])}" for name, word in CONSTRAINTS.items() if name in value]
    return " ".join((TYPES[value["type"]], *limits))


def _number(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def main() -> None:
    """Write the page."""
    write_durably(PAGE, [page().encode()])


if __name__ == "__main__":
    main()
