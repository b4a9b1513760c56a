"""Feeds of a test, read from a pack: readings in words or in a file, fleets, grades, attributes.

fleet:  {sta: {grid: [5, 5], spacing: 20 km}}
feed:   {p: "200 for 5m @1s", gas.G1: "50 for 5m @1s", sta.*: "0.1 for 33s @10ms"}
feed:   {csv: events/2021-henan.csv}
grades: {displacement.P1: "none for 1h, blue for 3h"}
assets: {p_max: 300 kPa, gas.G1: {place: roof}}
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from rules.errors import Faults, Place, did_you_mean
from rules.fields import Fields, amount_of, as_text_node, duration_of, wrong_shape
from rules.grade import Grade, read_grade
from rules.policy_text import RULE_NAME, part_of
from rules.scenario import CsvFeed, Feed, Fleet, GradeFeed, read_feed
from rules.vocabulary import FLEET
from rules.yaml_text import MapNode, Node, TextNode

# The name of the only input in a feed.
ONLY = "input"
EVERYONE = "*"
FLEET_MAX = 10_000

# The periods of the inputs that feeds may name; None: any sensor type may be named.
Periods = Mapping[str, int | None] | None


def read_fleets(fields: Fields, periods_ns: Periods) -> dict[str, Fleet]:
    """The grids of sensors that a test has, by input."""
    faults = fields.faults
    fleets: dict[str, Fleet] = {}
    for key, value in _entries(fields, "fleet", "{sta: {grid: [5, 5], spacing: 20 km}}"):
        _is_known(key, key.text, periods_ns, faults)
        fleet = Fields.open(value, FLEET, faults)
        if fleet is None:
            continue
        is_whole = fleet.needs("grid", "spacing", remedy="{grid: [5, 5], spacing: 20 km}")
        spacing = fleet.text("spacing")
        spacing_m = amount_of(spacing, "m", faults) if spacing else None
        sides = [as_text_node(item, faults) for item in fleet.items("grid")]
        counts = [int(s.text) for s in sides if s and s.text.isdecimal() and len(s.text) < 6]
        if len(sides) != 2 or len(counts) != 2 or not 0 < counts[0] * counts[1] <= FLEET_MAX:
            if is_whole:
                message = f"a grid is rows and columns, {FLEET_MAX} sensors at most"
                faults.add("E502", fleet.pair_place("grid"), message, remedy="write `grid: [5, 5]`")
        elif spacing_m is not None:
            fleets[key.text] = Fleet(counts[0], counts[1], spacing_m)
    return fleets


def read_feeds(
    fields: Fields, periods_ns: Periods, fleets: Mapping[str, Fleet]
) -> tuple[dict[str, Feed], dict[str, CsvFeed]]:
    """The feeds of a test by name: those in words, and those that stand in files."""
    faults = fields.faults
    if fields.node.get("feed") is None and fields.node.get("grades") is None:
        fields.needs("feed", remedy='feed: {input: "0.2 for 2m @5s"}')
    feeds: dict[str, Feed] = {}
    files: dict[str, CsvFeed] = {}
    for key, value in _entries(fields, "feed", '{input: "0.2 for 2m @5s"}'):
        text = as_text_node(value, faults)
        if text is None:
            continue
        if key.text == "csv":
            files[""] = CsvFeed(_path(text, text.text, faults), "", None, text.place)
            continue
        source, dot, member = key.text.partition(".")
        is_known = _is_known(key, source, periods_ns, faults)
        if dot and not member:
            message = f"`{key.text}`: which sensor of `{source}`?"
            faults.add("E502", key.place, message, remedy=f"write `{source}.S1`")
        if is_known and member == EVERYONE and source not in fleets:
            message = f"`{key.text}` feeds all sensors of a fleet, and this test has none"
            remedy = f"fleet: {{{source}: {{grid: [5, 5], spacing: 20 km}}}}"
            faults.add("E502", key.place, message, remedy=remedy)
        elif member and source in fleets and member not in {EVERYONE, *fleets[source].positions}:
            message = f"the fleet has no sensor `{member}`"
            remedy = did_you_mean(member, fleets[source].positions)
            faults.add("E502", key.place, message, remedy=remedy)
        period_ns = (periods_ns or {}).get(source)
        if text.text.lstrip().startswith("csv:"):
            path = text.text.partition("csv:")[2].strip()
            column = key.text if key.text != ONLY else "value"
            files[key.text] = CsvFeed(_path(text, path, faults), column, period_ns, text.place)
            continue
        feed = read_feed(text, period_ns, faults)
        if feed is not None:
            feeds[key.text] = feed
    return feeds, files


def _is_known(key: TextNode, name: str, periods_ns: Periods, faults: Faults) -> bool:
    """Whether an input, or a sensor type, may be fed here."""
    if periods_ns is None or name in periods_ns:
        return True
    remedy = did_you_mean(name, periods_ns)
    faults.add("E502", key.place, f"unknown input `{key.text}`", remedy=remedy)
    return False


def _path(node: TextNode, text: str, faults: Faults) -> Path:
    """A file beside the pack; a test never looks elsewhere."""
    pure = PurePosixPath(text)
    if not text or pure.is_absolute() or ".." in pure.parts:
        message = f"`{text}` is not a file beside the pack" if text else "which file?"
        faults.add("E501", node.place, message, remedy="write `csv: events/2021-henan.csv`")
    path = Path(node.source.name).parent / pure
    if text and not path.is_file():
        message = f"there is no file `{text}` beside this one, so the test cannot be run"
        faults.add("W510", node.place, message, remedy="the path counts from the pack's folder")
    return path


def read_attributes(fields: Fields) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The attributes that a test gives to all its sensors, and to single ones."""
    faults = fields.faults
    everyone: dict[str, str] = {}
    own: dict[str, dict[str, str]] = {}
    for key, value in _entries(fields, "assets", "{v_red: 5 mm/d}"):
        if isinstance(value, MapNode):
            texts = {name.text: as_text_node(part, faults) for name, part in value.entries}
            own[key.text] = {name: text.text for name, text in texts.items() if text is not None}
            continue
        text = as_text_node(value, faults)
        if text is not None:
            everyone[key.text] = text.text
    return everyone, own


def read_grades(fields: Fields, pack: str) -> dict[tuple[str, str], GradeFeed]:
    """The grades of other rules, by full name and instance."""
    faults = fields.faults
    found: dict[tuple[str, str], GradeFeed] = {}
    example = '{displacement.P1: "none for 1h, blue for 3h"}'
    for key, value in _entries(fields, "grades", example):
        text = as_text_node(value, faults)
        rule, _, instance = key.text.partition(".")
        if not RULE_NAME.fullmatch(rule):
            message = f"`{key.text}` cannot be a rule and its instance"
            faults.add("E502", key.place, message, remedy=f"grades: {example}")
            continue
        feed = _grade_feed(text, faults) if text is not None else None
        if feed is not None:
            name = rule if "/" in rule else f"{pack}/{rule}"
            found[name, instance] = feed
    return found


def _grade_feed(node: TextNode, faults: Faults) -> GradeFeed | None:
    """`none for 1h, blue for 3h`; None after a fault."""
    steps: list[tuple[int, Grade]] = []
    end_ns = 0
    for part in node.text.split(","):
        words = part.split()
        if len(words) != 3 or words[1] != "for":
            message = f"`{part.strip()}` is not a grade that lasts"
            remedy = "write `none for 1h, blue for 3h`"
            faults.add("E501", _part(node, part.strip()), message, remedy=remedy)
            return None
        place = _part(node, words[0])
        is_none = words[0] in ("none", "无")
        grade = Grade.NONE if is_none else read_grade(words[0], place, faults)
        length_ns = duration_of(part_of(node, words[2]), faults)
        if grade is None or length_ns is None:
            return None
        steps.append((end_ns, grade))
        end_ns += length_ns
    return GradeFeed(tuple(steps), end_ns)


def _part(node: TextNode, text: str) -> Place:
    at = max(0, node.text.find(text))
    return node.part(at, at + max(1, len(text)))


def _entries(fields: Fields, key: str, example: str) -> tuple[tuple[TextNode, Node], ...]:
    """The entries of a mapping; none where it is not there, or no mapping."""
    node = fields.node_of(key)
    if node is None:
        return ()
    if not isinstance(node, MapNode):
        wrong_shape(node, f"`{key}` is a mapping: {example}", fields.faults)
        return ()
    return node.entries
