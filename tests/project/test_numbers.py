"""Every number that a user can give, as an option or in a file, has a least and a greatest value."""

import math
from collections.abc import Iterator
from typing import Any

import click
import pytest
from pydantic import BaseModel, ValidationError

from render_worker.__main__ import HandRequest
from render_worker.dataset.realism import Realism
from shared.cli.numbers import FiniteRange, WholeRange
from shared.seams.renderer import RenderSettings
from tests.support.command_lines import COMMANDS, complaint_about
from trainer.config.run import TrainConfig
from trainer.paper.plan import AblationConfig

_NUMBERS = (click.types.IntParamType, click.types.FloatParamType)


def options_with_numbers() -> Iterator[tuple[str, click.Option, Any]]:
    """Yield every type of a number that an option takes, with the command."""
    for name, command in COMMANDS.items():
        for option in command.params:
            assert isinstance(option, click.Option) or not isinstance(option.type, _NUMBERS), "arguments too"
            if isinstance(option, click.Option):
                of_one = option.type.types if isinstance(option.type, click.Tuple) else (option.type,)
                yield from ((name, option, each) for each in of_one if isinstance(each, _NUMBERS))


OPTIONS = list(options_with_numbers())


def test_there_are_options_to_look_at() -> None:
    assert len(OPTIONS) > 60
    assert sum(option.opts == ["--box"] for _, option, _ in OPTIONS) == 4


def test_every_number_of_every_option_has_two_finite_bounds() -> None:
    wrong = [f"{name} {option.opts[0]}" for name, option, kind in OPTIONS if not _is_bounded(kind)]
    assert wrong == [], "use WholeRange or FiniteRange, of shared.cli.numbers"


def _is_bounded(kind: object) -> bool:
    if not isinstance(kind, WholeRange | FiniteRange):
        return False
    least, most = kind.min, kind.max
    return least is not None and most is not None and math.isfinite(most - least)


@pytest.mark.parametrize("text", ["nan", "-nan", "inf", "-inf", "Infinity", "1e999", "9" * 5000, "", "1,5"])
def test_no_option_takes_what_is_not_a_finite_number(text: str) -> None:
    for name, option, kind in OPTIONS:
        with pytest.raises(click.BadParameter):
            print(name, option.opts, kind.convert(text, option, None))  # noqa: T201


def test_no_option_takes_numbers_beyond_its_bounds() -> None:
    for name, option, kind in OPTIONS:
        step = 1 if isinstance(kind, WholeRange) else 1e-6
        for beyond in (kind.min - step, kind.max * 2 + step, *([kind.min] if kind.min_open else [])):
            with pytest.raises(click.BadParameter):
                print(name, option.opts, kind.convert(str(beyond), option, None))  # noqa: T201
        assert kind.convert(str(kind.max), option, None) == kind.max


def test_a_number_out_of_range_is_refused_before_anything_starts() -> None:
    assert "0 is not in the range 1<=x<=65535" in (complaint_about("meshcycle render-workers --port 0") or "")


@pytest.mark.parametrize("model", [RenderSettings, Realism])
def test_options_and_keys_of_one_name_have_the_same_bounds(model: type[BaseModel]) -> None:
    """Options cannot look it up, because it takes too long to load what keys are made of."""
    keys = _flat(model.model_json_schema())
    drawing = {name for name, option, _ in OPTIONS if option.name == "samples"}
    shared = [
        (option.name, kind) for name, option, kind in OPTIONS if name in drawing and option.name in keys
    ]
    assert len(shared) > 5
    for name, kind in shared:
        key = next(number for number in _numbers(keys[str(name)]))
        assert (kind.min, kind.max) == (key.get("minimum", key.get("exclusiveMinimum")), key["maximum"]), name


@pytest.mark.parametrize("model", [TrainConfig, AblationConfig, RenderSettings, Realism])
def test_every_number_of_a_configuration_has_two_bounds(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    tables = {model.__name__: schema, **schema.get("$defs", {})}
    found = {
        f"{table}.{key}": number
        for table, keys in tables.items()
        for key, value in _flat(keys).items()
        for number in _numbers(value)
    }
    bounds = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
    unbounded = [
        key
        for key, number in found.items()
        if not all(any(each in number for each in pair) for pair in bounds)
    ]
    assert unbounded == []
    assert len(found) > 2


def _flat(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a table, with the definitions of their values in place."""
    definitions = schema.get("$defs", {})
    properties = schema.get("properties", {"itself": schema})
    return {key: _resolved(value, definitions) for key, value in properties.items()}


def _resolved(value: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    target = definitions.get(str(value.get("$ref", "")).rpartition("/")[2], {})
    merged = value if "properties" in target else {**target, **value}
    return {key: _resolved(each, definitions) for key, each in merged.items()}


def _numbers(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema of a number inside of another one; tables have their own turn."""
    if isinstance(schema, list):
        for each in schema:
            yield from _numbers(each)
    elif isinstance(schema, dict):
        if schema.get("type") in ("integer", "number"):
            yield schema
        else:
            for key, each in schema.items():
                if key not in ("properties", "default", "$defs"):
                    yield from _numbers(each)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e300, -1.0, 10**400])
def test_no_key_takes_what_cannot_be_computed_with(number: float) -> None:
    with pytest.raises(ValidationError):
        TrainConfig.model_validate({"run_dir": "run", "data": {"root": "data"}, "loss": {"joints": number}})


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("key", ['"camera": {"scale": %s, "tx_m": 0, "ty_m": 0}', '"verts_m": [[0, 0, %s]]'])
def test_no_stored_record_takes_what_is_not_finite(key: str, text: str) -> None:
    with pytest.raises(ValidationError):
        HandRequest.model_validate_json("{" + key % text + "}")
