"""Pages: what each code of a fault means, with a wrong and a right example.

The message of a fault says what is wrong in this file; a page says why it is refused at all.
"""

from typing import Final, NamedTuple


class Page(NamedTuple):
    """The reason behind a code; the examples are empty where none would help."""

    title: str
    why: str
    wrong: str = ""
    right: str = ""


YAML_PAGES: Final = {
    "E001": Page(
        "This is not YAML",
        "The file cannot be read further, so only its first mistake is shown. A plain value cannot "
        "start with %, @, * or &, and cannot contain `: `; quote it.",
        "unit: %",
        'unit: "%"',
    ),
    "E002": Page(
        "The file cannot be used at all",
        "It is missing, empty, not UTF-8, larger than a file of rules can sensibly be, or has "
        "letters that nobody can see.",
    ),
    "E003": Page(
        "A comma cut an expression",
        "Inside { } YAML splits at commas. An expression with a comma must be quoted.",
        "{when: stalta(0.5s, 10s) > 4}",
        '{when: "stalta(0.5s, 10s) > 4"}',
    ),
    "E004": Page(
        "A key stands twice",
        "YAML would silently take the last one; a threshold would change and nobody would know.",
    ),
    "E005": Page("A tab", "How wide a tab is, is a matter of opinion; indentation is not."),
    "E006": Page("Nested too deeply", "Nothing in these files is deeper than 32 levels."),
    "E007": Page(
        "Anchors, aliases, tags, directives and second documents",
        "They make one text mean another, or a small file a huge one. Write the value out.",
    ),
    "E011": Page("Not a rule pack", "Packs begin with `tocsin: 1`, so that nothing else is one."),
    "E012": Page("A key is missing", "The rule cannot be understood without it."),
    "E013": Page(
        "The wrong shape", "A list, a mapping or a single value stands where another must."
    ),
    "E014": Page("A word that is not one of those allowed here", "See the help of the fault."),
    "E021": Page(
        "An unknown key",
        "A misspelt key that is ignored is a hold time that is not there. So none is ignored.",
        "clear_fro: 5m",
        "clear_for: 5m",
    ),
    "E022": Page("An unknown grade", "The grades are blue < yellow < orange < red."),
    "E023": Page(
        "A grade is a colour",
        "Level 1 is the most severe in Chinese law and the mildest in other countries.",
        "level: 1",
        "red",
    ),
    "E024": Page(
        "A name of a pack or rule that stands twice", "Warnings name their pack and rule."
    ),
    "W003": Page("A comma cut a text", "Inside { } YAML splits at commas; quote the text."),
    "W005": Page("A folder without rule packs", "An engine without rules looks healthy."),
}

RULE_PAGES: Final = {
    "E101": Page("Something unexpected in an expression", "See the grammar in the authors' guide."),
    "E102": Page("An operator of another language", "", "a > 1 && b > 2", "a > 1 and b > 2"),
    "E103": Page("An expression that is empty, too long or too deep", "Use `let` for its parts."),
    "E110": Page(
        "An unknown feature", "`tocsin explain features` lists them.", "meen(15s)", "mean(15s)"
    ),
    "E111": Page("Wrong arguments of a feature", "", "mean()", "mean(15s)"),
    "E112": Page("An unknown name", "Names are features, attributes (asset.x) and those of `let`."),
    "E113": Page("A name of `let` that leads back to itself", "Expressions have no loops."),
    "E114": Page("A name of `let` that cannot be one", "It is a word of the language already."),
    "E120": Page("An unknown function", "There are no functions but the features."),
    "E201": Page(
        "An unknown unit", "The table of units is closed, so that a typo is never a unit."
    ),
    "E202": Page("Not a duration", "", "mean(15)", "mean(15s)"),
    "E203": Page(
        "Units that cannot be compared",
        "A slope is a quantity per time; comparing it with a quantity is always a mistake.",
        "slope(2m) >= 5 kPa",
        "slope(2m) >= 5 kPa/min",
    ),
    "E204": Page(
        "A number without a unit",
        "Added to a quantity it could be in any unit.",
        "mean(1m) + 5 > 300 kPa",
        "mean(1m) + 5 kPa > 300 kPa",
    ),
    "E205": Page(
        "A temperature used as a difference, or multiplied",
        "20 °C is 293 K as a temperature and 20 K as a difference; twice 20 °C is not 40 °C.",
    ),
    "E206": Page("A unit that cannot be told", "Write the unit of one side of the comparison."),
    "E207": Page(
        "Not what is needed here",
        "A condition, a quantity or a text stands where another must; texts have no order.",
        "when: mean(1m)",
        "when: mean(1m) > 2 %",
    ),
    "E208": Page("A temperature compared with a difference", "", "rise(1h) > 5 °C warm", "5 K"),
    "E210": Page("A set where one value must stand", "Use a method such as any or max_of."),
    "E301": Page(
        "A ladder that is not monotone",
        "A graver grade must not be easier to reach than a milder one.",
        "above: {yellow: 0.8, orange: 0.7}",
        "above: {yellow: 0.8, orange: 1.0}",
    ),
    "E302": Page(
        "A grade that would never settle", "Its clear value must be beyond its entry value."
    ),
    "E303": Page("A ladder needs a direction and grades", "", "value: value", "above: {red: 1.5}"),
    "E304": Page("A deadband that cannot be", "", "deadband: 200%", "deadband: 5%"),
    "E305": Page("A grade that this rule does not have", "A hold of a grade needs the grade."),
    "E306": Page("A grade is needed here", "", "over_range: raise", "over_range: raise red"),
    "E401": Page(
        "A model alone never exceeds yellow",
        "What a model finds unusual is a question to a person, not an order to evacuate.",
        "orange: {when: anomaly >= 0.99}",
        "orange: {when: anomaly >= 0.99 and mean(1m) >= 1 %}",
    ),
    "E402": Page("`latch` names a grade that the rule does not have", "It would never hold."),
    "E403": Page("`cap` leaves nothing of the rule", "Its mildest grade is above the cap."),
    "E404": Page("Silence is never an all-clear", "", "unknown: clear", "unknown: hold"),
    "E430": Page("A template that cannot be used", "Templates show values; they cannot compute."),
    "E431": Page("An unknown name in a message", "Names are value, grade, site, sensor and `let`."),
    "E432": Page(
        "A filter that cannot be used here", "", "{{ value | q('m') }} of a pressure", "kPa"
    ),
    "E501": Page("A feed that cannot be read", "", "0.2 during 2m", "0.2 for 2m @5s"),
    "E502": Page("An expectation that cannot be read", "", "{at: 2m}", "{at: 2m, grade: none}"),
    "E900": Page(
        "Part of the language, not of this version",
        "It is refused, never ignored: a rule that is half obeyed is worse than none.",
    ),
    "N107": Page("Metres or minutes", "`5m` is minutes only where a duration must stand."),
    "W204": Page("A number without a unit", "It is read in the unit of the input; write the unit."),
    "W401": Page("A title is missing in one language", "Live rules speak zh and en."),
    "W402": Page("A headline is missing in one language", "The default text is used instead."),
    "W403": Page("A rule without a hazard", "Topics name it, so that consumers can choose."),
    "W406": Page("A grade above the cap", "Its condition is not judged; remove it."),
    "W410": Page("Red after more than five minutes", "Gas and process hazards kill sooner."),
    "W411": Page("A clear that one lucky reading can bring", "Hold it for three periods or more."),
    "W412": Page("A window shorter than three periods", "It is an average of almost nothing."),
    "W433": Page(
        "The languages say different things", "Both headlines should show the same values."
    ),
    "W434": Page("A long headline", "It will be cut on a telephone."),
    "W435": Page("A headline without the value", "People act faster on a number."),
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
    "W501": Page("A rule without sensors", "It is about a type that has none; it never speaks."),
    "W502": Page("A window whose coverage is not known", "Give the sensors a period."),
    "W503": Page("A message names an attribute that no column has", "It will be left empty."),
    "W504": Page("An attribute that is empty for some", "Their conditions are unknown, so silent."),
}

PAGES: Final = YAML_PAGES | RULE_PAGES | CONFIG_PAGES | CATALOGUE_PAGES
