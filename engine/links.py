"""Links: what rules and models say of the catalogue must be there, in the unit they say.

A rule about a type that no catalogue has is silence that looks like safety. So everything a rule
or a model names is looked up before the first frame: types, units, sites, periods, attributes
and the texts that stand in them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.calendar_links import calendar_faults
from engine.config import EngineConfig, ModelConfig
from engine.csv_text import read_sheet
from engine.document import Document, read_document
from engine.model_versions import version_faults
from engine.nearest import did_you_mean
from engine.point_links import point_link_faults
from engine.registry import SENSOR_COLUMNS, SITE_COLUMNS, Catalogue
from engine.sensor_types import SensorType
from rules import expression as ex
from rules.errors import Fault, Place
from rules.measures import fits
from rules.needs import GROUPS, WINDOWED
from rules.pack import Book, Rule
from rules.units import (
    NUMBER,
    UnitError,
    attribute_value,
    of_own_unit,
    read_duration,
    read_unit,
)

# What every sensor has without an attribute of that name.
BUILT_IN: Final = ("name", "period", "range_low", "range_high")
NEEDS_PERIOD: Final = WINDOWED - {"count", "bad_share"}
TEXTS_MAX: Final = 20

# Sensors of some types, and those of them that have no period.
Looked = dict[tuple[int, ...], tuple[NDArray[np.intp], NDArray[np.intp]]]


def link_faults(config: EngineConfig, catalogue: Catalogue, book: Book) -> list[Fault]:
    """Return everything that rules and models name and the catalogue does not have."""
    faults: list[Fault] = []
    looked: Looked = {}
    for rule in book.rules:
        if rule.mode != "disabled":
            faults += rule_faults(rule, catalogue, config.catalogue, looked)
            faults += version_faults(rule, config.models)
    # No day is asked here: an override that holds no longer must still be right.
    faults += point_link_faults(book, catalogue, "")
    return faults + model_faults(config, catalogue)


def rule_faults(rule: Rule, catalogue: Catalogue, folder: Path, looked: Looked) -> list[Fault]:
    """Return what one rule names and the catalogue does not have.

    looked  sensors by types, for the next rule on the same types    (in place)
    """
    faults: list[Fault] = []
    for name, given in rule.inputs.items():
        faults += _input_faults(replace(rule, input=given), name, catalogue, (folder, looked))
    for attribute in dict.fromkeys(_unowned(rule)):
        faults += _column_faults(attribute, catalogue)
    for scope, name in sorted(rule.message.attributes):
        if name not in _known(catalogue, scope):
            text = f"the message of `{rule.id}` names `{scope}.{name}`, which no column has"
            hint = did_you_mean(name, _known(catalogue, scope))
            faults.append(Fault("W503", rule.place, text, hint))
    return list(dict.fromkeys(faults))


def _input_faults(
    rule: Rule, name: str, catalogue: Catalogue, where: tuple[Path, Looked]
) -> list[Fault]:
    """Return what is wrong with one input of a rule, which stands in for its `input`."""
    folder, looked = where
    names = [sensor_type.name for sensor_type in catalogue.types]
    if rule.input.type == "*":
        numbers = list(range(len(names)))
    elif rule.input.type in names:
        numbers = [names.index(rule.input.type)]
    else:
        text = f"rule `{rule.id}` is about the type `{rule.input.type}`, which types.yaml lacks"
        return [Fault("E730", rule.place, text, did_you_mean(rule.input.type, names))]
    faults: list[Fault] = []
    features = [feature for feature in _features(rule) if feature.input == name]
    if rule.input.type != "*":
        faults += _type_faults(rule, catalogue.types[numbers[0]])
        faults += _kind_faults(features, catalogue.types[numbers[0]])
    if tuple(numbers) not in looked:
        of_types = np.flatnonzero(np.isin(catalogue.sensors.type, numbers))
        bare = of_types[catalogue.sensors.period_ns[of_types] == 0]
        looked[tuple(numbers)] = (of_types, bare)
    sensors, bare = looked[tuple(numbers)]
    if not sensors.size:
        text = f"no sensor is of the type `{rule.input.type}`: rule `{rule.id}` will never speak"
        return [*faults, Fault("W501", rule.place, text, "")]
    faults += _window_faults(features, [catalogue.types[number] for number in numbers])
    faults += _period_faults(rule, features, catalogue, bare)
    for attribute in dict.fromkeys(_attributes(rule, name)):
        faults += _attribute_faults(rule, attribute, catalogue, sensors, folder)
    return [*faults, *calendar_faults(rule, catalogue, sensors, folder)]


def _kind_faults(features: Sequence[ex.Feature], sensor_type: SensorType) -> list[Fault]:
    """Sums are of what is added up; where the rule does not say the kind, its type does."""
    kind = sensor_type.kind
    wrong = [feature for feature in dict.fromkeys(features) if not feature.stream]
    hint = "see `tocsin explain E115`"
    return [
        Fault("E738", f.place, f"`{f.name}` cannot be of `{sensor_type.name}`, a {kind}", hint)
        for f in wrong
        if not fits(f.name, kind)
    ]


def _type_faults(rule: Rule, sensor_type: SensorType) -> list[Fault]:
    faults = []
    unit, declared = rule.input.unit, sensor_type.unit
    if not _is_same_unit(unit, declared):
        text = f"rule `{rule.id}` takes {sensor_type.name} in {unit}, but it comes in {declared}"
        faults.append(Fault("E731", rule.place, text, f'write `unit: "{declared}"`'))
    if rule.input.kind is not None and rule.input.kind != sensor_type.kind:
        text = f"rule `{rule.id}` takes a {rule.input.kind}, but `{sensor_type.name}` is a "
        hint = f"write `kind: {sensor_type.kind}`"
        faults.append(Fault("E738", rule.place, text + sensor_type.kind, hint))
    return faults


def _is_same_unit(left: str, right: str) -> bool:
    """Say whether two spellings mean one unit: readings are compared, never converted."""
    one, other = read_unit(left), read_unit(right)
    same = (one.factor, one.offset) == (other.factor, other.offset)
    return same and one.dimension == other.dimension


def _conditions(rule: Rule) -> Iterable[ex.Node]:
    if rule.ladder is not None:
        yield rule.ladder.value
        yield from rule.ladder.enter.values()
        yield from rule.ladder.clear.values()
    for level in (rule.levels or {}).values():
        yield level.when
        if level.clear is not None:
            yield level.clear
    if rule.sequence is not None:
        yield from (step.condition for step in rule.sequence.steps)
        if rule.sequence.reset is not None:
            yield rule.sequence.reset
    if rule.cluster is not None:
        yield rule.cluster.when


def _features(rule: Rule) -> list[ex.Feature]:
    return [feature for node in _conditions(rule) for feature in ex.features(node)]


def _attributes(rule: Rule, name: str) -> Iterable[ex.Attribute]:
    """Return the attributes of the sensors of one input: all, where it is the only one."""
    for node in _conditions(rule):
        if len(rule.inputs) == 1:
            yield from ex.attributes(node)
        for part in ex.walk(node) if len(rule.inputs) > 1 else ():
            if isinstance(part, ex.Vote | ex.Gather) and part.members.input == name:
                yield from ex.attributes(part)


def _unowned(rule: Rule) -> Iterable[ex.Attribute]:
    """Return the attributes that must only have a column: of instances, and those of `where`."""
    for given in rule.inputs.values():
        if given.where is not None:
            yield from ex.attributes(given.where)
    if len(rule.inputs) != 1:
        for node in _conditions(rule):
            yield from ex.attributes(node)


def _column_faults(attribute: ex.Attribute, catalogue: Catalogue) -> list[Fault]:
    known = _known(catalogue, attribute.scope)
    if attribute.name in known:
        return []
    file = "sites.csv" if attribute.scope == "site" else "sensors.csv"
    text = f"{file} has no column `{attribute.name}`, so this would always be unknown"
    return [Fault("E736", attribute.place, text, did_you_mean(attribute.name, known))]


def _window_faults(features: Sequence[ex.Feature], types: Sequence[SensorType]) -> list[Fault]:
    """Where types.yaml fixes the pane, every window must be a whole number of them."""
    faults = []
    for sensor_type in types:
        for feature in dict.fromkeys(features):
            pane_ns = sensor_type.pane_ns
            if feature.name not in WINDOWED or not pane_ns:
                continue
            if feature.windows_ns[0] % pane_ns or feature.offset_ns % pane_ns:
                text = (
                    f"this window or its offset is no multiple of the pane of `{sensor_type.name}`"
                )
                hint = f"the pane is {pane_ns / 1e9:g} s (types.yaml)"
                faults.append(Fault("E737", feature.place, text, hint))
    return faults


def _period_faults(
    rule: Rule,
    features: Sequence[ex.Feature],
    catalogue: Catalogue,
    bare: NDArray[np.intp],
) -> list[Fault]:
    """A share of the expected readings needs to know how many are expected of these sensors."""
    features = [feature for feature in features if feature.name in NEEDS_PERIOD]
    if not features or not bare.size:
        return []
    name = catalogue.sensors.name[int(bare[0])]
    others = f" and {bare.size - 1} more" if bare.size > 1 else ""
    hint = "give them a `period` in sensors.csv, or their type one in types.yaml"
    text = f"the coverage of this window is not known: `{name}`{others} have no period"
    is_asked = rule.quality.coverage is not None or any(f.name == "coverage" for f in features)
    return [Fault("E735" if is_asked else "W502", features[0].place, text, hint)]


def _known(catalogue: Catalogue, scope: str) -> list[str]:
    """Return the attributes that a scope has; an asset has its own and those of its site."""
    sites = sorted({name for attributes in catalogue.sites.attributes for name in attributes})
    own = [*catalogue.sensors.attributes, *BUILT_IN]
    return {"site": [*sites, "name"], "sensor": own}.get(scope, [*own, *sites])


def _attribute_faults(
    rule: Rule,
    attribute: ex.Attribute,
    catalogue: Catalogue,
    sensors: NDArray[np.intp],
    folder: Path,
) -> list[Fault]:
    missing = _column_faults(attribute, catalogue)
    if missing:
        return missing
    if attribute.name in BUILT_IN:
        return []
    own = catalogue.sensors.attributes.get(attribute.name)
    required: tuple[str, ...]
    by_site = attribute.scope == "site" or own is None
    if by_site:
        rows = sorted({int(catalogue.sensors.site[sensor]) for sensor in sensors})
        cells = {row: catalogue.sites.attributes[row].get(attribute.name) for row in rows}
        path, required = folder / "sites.csv", SITE_COLUMNS
    else:
        assert own is not None
        cells = {int(sensor): own[int(sensor)] for sensor in sensors}
        path, required = folder / "sensors.csv", SENSOR_COLUMNS
    faults = []
    empty_count = sum(cell is None for cell in cells.values())
    if empty_count:
        text = f"`{attribute.name}` is empty in {empty_count} of {len(cells)} rows of {path.name}"
        hint = f"there the conditions of `{rule.id}` that use it are unknown"
        faults.append(Fault("W504", attribute.place, text, hint))
    if attribute.is_text:
        return faults
    homes = catalogue.sensors.site[sensors] if by_site else sensors
    units = [catalogue.types[int(number)].unit for number in catalogue.sensors.type[sensors]]
    unit_of = dict(zip(homes.tolist(), units, strict=True))
    wrong = [
        (row, _quantity_problem(cell, attribute, rule, unit_of[row]))
        for row, cell in cells.items()
        if cell
    ]
    shown = [(row, problem) for row, problem in wrong if problem][:TEXTS_MAX]
    if shown:
        sheet, _ = read_sheet(path, required)
        assert sheet is not None, "the catalogue was read a moment ago"
        for row, problem in shown:
            hint = f"rule `{rule.id}` reads it as a quantity"
            faults.append(sheet.fault(row, attribute.name, "E739", problem, hint))
    return faults


def _quantity_problem(cell: str, attribute: ex.Attribute, rule: Rule, own: str) -> str:
    """Return why a text is not the quantity that a rule needs; empty when it is."""
    try:
        dimension, scale = of_own_unit(attribute.dimension, rule.input.scale, own)
        attribute_value(cell, dimension, scale, is_point=attribute.is_point)
    except UnitError as error:
        return str(error)
    return ""


def model_faults(config: EngineConfig, catalogue: Catalogue) -> list[Fault]:
    """Return what the models of an engine.yaml name and the catalogue does not have."""
    if not config.models:
        return []
    document, _ = read_document(config.path)
    assert document is not None, "the configuration was read a moment ago"
    faults: list[Fault] = []
    bound: dict[str, str] = {}
    types = [sensor_type.name for sensor_type in catalogue.types]
    for number, model in enumerate(config.models):
        faults += _name_faults(document, (number, "types"), model.types, types, code="E732")
        sites = catalogue.sites.name
        faults += _name_faults(document, (number, "sites"), model.sites, sites, code="E734")
        for index, name in enumerate(model.types):
            if bound.setdefault(name, model.name) != model.name:
                place = document.place(("models", number, "types", index))
                text = f"`{name}` has the model `{bound[name]}` already"
                faults.append(Fault("E733", place, text, "one model for each sensor type"))
        faults += _feature_faults(document, number, model)
    return faults


def _name_faults(
    document: Document,
    at: tuple[int, str],
    names: Sequence[str],
    known: Sequence[str],
    *,
    code: str,
) -> list[Fault]:
    what = at[1].removesuffix("s")
    return [
        Fault(
            code,
            document.place(("models", *at, index)),
            f"the catalogue has no {what} `{name}`",
            did_you_mean(name, known),
        )
        for index, name in enumerate(names)
        if name not in known
    ]


def _feature_faults(document: Document, number: int, model: ModelConfig) -> list[Fault]:
    faults = []
    for index, text in enumerate(model.features):
        try:
            read_model_feature(text, Place("", 0, 0))
        except UnitError as error:
            place = document.place(("models", number, "features", index))
            faults.append(Fault("E740", place, str(error), error.remedy))
    return faults


def read_model_feature(text: str, place: Place) -> ex.Feature:
    """Return a feature that a model looks at: `value`, or a window such as `mean(1m)`."""
    name, opening, rest = text.strip().partition("(")
    if name == "value" and not opening:
        return ex.Feature("value", (), NUMBER, place)
    if name not in GROUPS or not rest.endswith(")"):
        message = f"`{text}` is no feature of a model"
        raise UnitError(message, f"value, or one of {', '.join(sorted(GROUPS))} with a window")
    return ex.Feature(name, (read_duration(rest[:-1]),), NUMBER, place)
