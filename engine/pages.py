"""Pages: what each code of a fault means, with a wrong and a right example.

The message of a fault says what is wrong in this file; a page says why it is refused at all.
"""

from typing import Final, NamedTuple

from rules.explanations import EXPLANATIONS


class Page(NamedTuple):
    """The reason behind a code; the examples are empty where none would help."""

    title: str
    why: str
    wrong: str = ""
    right: str = ""


# What can be wrong in a rule pack, as the rules themselves explain it.
RULE_PAGES: Final = {
    code: Page(said.cause, "", said.wrong if said.part else "", said.right if said.part else "")
    for code, said in EXPLANATIONS.items()
}

CONFIG_PAGES: Final = {
    "E601": Page("Not keys and values", "An engine.yaml is a mapping.", "- mine", "engine: mine"),
    "E602": Page(
        "A key is missing", "It has no default, because none would be right for everybody."
    ),
    "E603": Page("Not one of the words allowed here", "", "clock: walk", "clock: wall"),
    "E604": Page("A value that cannot be meant", "", "silence: 10", "silence: 10s"),
    "E610": Page("Not an address", "", "intake: 7700", "intake: tcp://127.0.0.1:7700"),
    "E611": Page(
        "An open door",
        "Without link security the name that a gateway gives is believed. So only addresses that "
        "nobody outside this machine can reach are bound.",
        "intake: tcp://0.0.0.0:7700",
        "intake: tcp://127.0.0.1:7700",
    ),
    "E612": Page("One address for two sockets", "Each of intake, warnings and replay has its own."),
    "E613": Page("A path that is not there", "Paths are relative to the file they stand in."),
    "E614": Page("Two models of one name", "Rules name models, and must know which."),
    "E615": Page("A segment smaller than a frame", "A frame is never split between segments."),
    "E900": Page(
        "Not built in this version",
        "What is half obeyed is worse than what is refused.",
        "security: curve",
        "security: none",
    ),
}

CATALOGUE_PAGES: Final = {
    "E700": Page("A file cannot be read", "A catalogue is types.yaml and three CSV files."),
    "E701": Page(
        "Not CSV", "A quote is opened and never closed, or closed in the middle of a cell."
    ),
    "E702": Page("An empty file", "The first line of a CSV file names its columns."),
    "E703": Page("Not UTF-8", "Names in two scripts need one encoding: UTF-8."),
    "E704": Page("A column without a name, or with a name that stands twice", ""),
    "E705": Page("A column is missing", "It may be empty, but it must be there."),
    "E706": Page("A cell over several lines", "Then the line of a mistake could not be named."),
    "E707": Page("A row with too few or too many cells", "Quote cells that contain a comma."),
    "E710": Page("No catalogue", "The folder is not there."),
    "E711": Page("A name that cannot be used", "Names stand in topics, where / separates."),
    "E712": Page("A name that stands twice", "Which of the two would a reading belong to?"),
    "E713": Page("Something that is not in the catalogue", "See the files it should stand in."),
    "E714": Page("Not a division code", "", "division: 1402", "division: 140200"),
    "E715": Page("Not a position", "Latitudes are -90 to 90, longitudes -180 to 180 degrees."),
    "E716": Page("Not a public key", "40 characters of Z85, as ZeroMQ writes CURVE keys."),
    "E717": Page("A catalogue without sensors", "An engine that watches nothing looks healthy."),
    "E718": Page("A range upside down", "range_low must be below range_high."),
    "E719": Page("Not a number", "Empty is allowed for ranges and positions: it means unknown."),
    "E720": Page("Not a period", "", "30", "30s"),
    "E721": Page("A waveform without a period", "Its samples have no times of their own."),
    "E722": Page("More faults of the same kind", "Only the first hundred of a column are shown."),
    "E723": Page("An unknown unit of a type", "", "unit: Pascal", "unit: Pa"),
    "E730": Page("A rule about a type that is not there", "It would be silent for ever."),
    "E731": Page(
        "A rule in another unit than its sensors",
        "Thresholds are compared with readings as they come; nothing is converted on the way.",
    ),
    "E732": Page("A model of a type that is not there", ""),
    "E733": Page("Two models of one type", "`anomaly` would have two answers."),
    "E734": Page("A model that cannot be made", "Its site, detector or parameters do not exist."),
    "E735": Page("A period is needed", "The share of expected readings is not known without it."),
    "E736": Page("An attribute that no column has", "The condition would always be unknown."),
    "E737": Page("A window that is no multiple of the pane", "Windows are made of whole panes."),
    "E738": Page("A rule about another kind of type", "Increments are summed, gauges are not."),
    "E739": Page(
        "An attribute that is not the quantity the rule needs", "", "limit: high", "1.5 %"
    ),
    "E740": Page("Not a feature of a model", "", "features: [mean]", "features: [mean(1m)]"),
    "E741": Page(
        "Rules that change while they are read",
        "What judges must be one set; write to another folder and rename it.",
    ),
    "E742": Page(
        "A key that only a restart can change",
        "Of a running engine `rules`, `models`, `status`, `silence` and `future_max` may change.",
    ),
    "E743": Page(
        "A catalogue that has changed under a running engine",
        "Gateways are told how many sensors they have when they connect; restart the engine.",
    ),
    "E752": Page(
        "A rule that cannot hold another down",
        "`inhibits` works between rules that are judged in the same place: both on sensors or "
        "instances inside one site, or both over several sites. Clusters inhibit nothing.",
    ),
    "E753": Page(
        "Not the version of the model that a rule asks for",
        "Thresholds on `anomaly` belong to the model they were found with; engine.yaml says its "
        "`version`, and the rule's bounds must all hold.",
        'models: [{name: habit, version: 2027.1, …}]  # the rule: version: ">=2026.10 <2027"',
        "models: [{name: habit, version: 2026.11, …}]",
    ),
    "E748": Page(
        "A test of a pack that fails",
        "Rules that contradict what their author expects do not go live; `reload_tests: false` "
        "reloads without running the tests.",
    ),
    "E744": Page(
        "Another number of shards than the data folder has",
        "A warning belongs to a site and a site to a shard: elsewhere it would begin anew, under "
        "an id that consumers have already.",
        "shards: 2",
        "shards: 1",
    ),
    "E745": Page(
        "A rule without instances",
        "Its instances are the values of an attribute, and no sensor of its types has one.",
    ),
    "E751": Page("Rules that wait for each other", "None of them could ever be judged first."),
    "W505": Page("A rule that does not judge here", "What looks at it sees no warning, ever."),
    "E746": Page(
        "Two sensors where one is meant",
        "A comparison needs one value; which of the two decides would be chance.",
        "p: {type: tank_pressure, unit: kPa}",
        "p: {type: tank_pressure, unit: kPa, many: true}",
    ),
    "E747": Page(
        "No time zone, or no calendar",
        "Local time would be another than the site's, or the calendar unknown.",
        "flood-season: 5/15-9/30",
        "flood-season: 05-15..09-30",
    ),
    "W501": Page("A rule without sensors", "It is about a type that has none; it never speaks."),
    "W502": Page("A window whose coverage is not known", "Give the sensors a period."),
    "W503": Page("A message names an attribute that no column has", "It will be left empty."),
    "W504": Page("An attribute that is empty for some", "Their conditions are unknown, so silent."),
}

PAGES: Final = RULE_PAGES | CONFIG_PAGES | CATALOGUE_PAGES
