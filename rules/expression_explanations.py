"""Explanations of faults in expressions: words, macros, units, sets.

See `explanations` for what the fields mean.
"""

from typing import Final

from rules.file_explanations import Explanation


def _file(rule: str, *, macros: str = "") -> str:
    """A whole pack around one rule."""
    head = "tocsin: 1\npack: p\nversion: 1.0.0\nowner: o\n"
    rules = "rules:\n  - id: r\n    title: {zh: 甲, en: A}\n    hazard: gas\n"
    return head + macros + rules + "".join(f"    {line}\n" for line in rule.split("\n"))


def _methane(when: str, *, keys: str = "") -> str:
    """A rule on methane with one level."""
    head = 'input: {type: methane, unit: "%", period: 5s}\nby: [sensor]\n'
    return f"{head}{keys}levels: {{blue: {{when: '{when}'}}}}"


def _tank(when: str) -> str:
    """A rule on the pressure and the gas heads of a tank with one level."""
    return (
        'inputs: {p: {type: pressure, unit: kPa}, gas: {type: gas, unit: "%LEL", many: true}}\n'
        f"by: [tank]\nlevels: {{blue: {{when: '{when}'}}}}"
    )


def _all_types(when: str) -> str:
    """A rule on the sensors of all types of a site with one level."""
    head = "inputs: {s: {type: '*', many: true}}\nby: [site]\n"
    return f"{head}levels: {{blue: {{when: '{when}'}}}}"


STEEP = "macros: {'steep(x, w)': x.slope(w) > 0}\n"
CIRCLE = "macros: {'a(x)': b(x), 'b(x)': a(x)}\n"
PAIR = "macros: {'a(x)': b(x), 'b(x)': x > 1 %}\n"

EXPRESSION_FAULTS: Final = {
    "E101": Explanation(
        "The expression cannot be read on from here.", "value => 1 %", "value >= 1 %", "when"
    ),
    "E102": Explanation(
        "Operators are words here: `and`, `or`, `not`.",
        "value >= 1 % && age < 5s",
        "value >= 1 % and age < 5s",
        "when",
    ),
    "E103": Explanation(
        "An expression has at most 2048 letters, 50 levels and 400 parts, its `let` written out.",
        "not " * 60 + "value >= 1 %",
        "value >= 1 %",
        "when",
    ),
    "E104": Explanation(
        "A threshold that nothing can reach, or a value that is never known, warns of nothing.",
        "value >= 1e999",
        "value >= 1 %",
        "when",
    ),
    "E110": Explanation(
        "There is no such feature; `tocsin explain features` lists them.",
        "meen(5m) >= 1 %",
        "mean(5m) >= 1 %",
        "when",
    ),
    "E111": Explanation(
        "A feature takes as many windows as it says, and no others.",
        "mean() >= 1 %",
        "mean(5m) >= 1 %",
        "when",
    ),
    "E112": Explanation(
        "A name is a feature, a `let` of the rule, or an attribute such as `asset.limit`.",
        "valu >= 1 %",
        "value >= 1 %",
        "when",
    ),
    "E113": Explanation(
        "A `let` stands for its expression; one that leads back to itself stands for nothing.",
        "let: {a: b, b: a}",
        "let: {a: mean(5m), b: a}",
        "rule",
    ),
    "E114": Explanation(
        "A `let` that is called like a feature would hide it.",
        "let: {value: mean(5m)}",
        "let: {smooth: mean(5m)}",
        "rule",
    ),
    "E115": Explanation(
        "`sum` and `rate` add up tips of a gauge or the steps of a counter; the sum of a level is "
        "a number that depends on how often it was read. `pga` and `pgv` are of accelerations.",
        _file(_methane("pga(3s) >= 1 %")),
        _file(_methane("range(3s) >= 1 %")),
        "file",
    ),
    "E116": Explanation(
        "`seq.…` are the steps of the rule's own `sequence`, `cluster.…` its own cluster.",
        _file(_methane("seq.wet and value > 1 %")),
        _file(_methane("value > 1 %")),
        "file",
    ),
    "E117": Explanation(
        "Another rule is named in quotes, with its pack, and asked for its grade or its age.",
        _file(_methane('rule("x/y/z").grade >= yellow')),
        _file(_methane('rule("x/y").grade >= yellow')),
        "file",
    ),
    "E118": Explanation(
        "A season is spring, summer, autumn or winter; another word is never equal to it.",
        _file(_methane('season() == "fall" and value > 1 %')),
        _file(_methane('season() == "autumn" and value > 1 %')),
        "file",
    ),
    "E120": Explanation(
        "There are no functions but the features and the macros of the pack, and of the packs it "
        "names under `use`.",
        _file(_methane("steep(input, 5m)")),
        _file(_methane("steep(input, 5m)"), macros=STEEP),
        "file",
    ),
    "E121": Explanation(
        "A macro is written out before anything else happens; one that leads back to itself, or "
        "more than four deep, or into thousands of parts, would never end.",
        _file(_methane("a(value)"), macros=CIRCLE),
        _file(_methane("a(value)"), macros=PAIR),
        "file",
    ),
    "E122": Explanation(
        "`use` names packs whose macros are meant; they must be read together, and no macro may "
        "come from two of them.",
        _file(_methane("value > 1 %"), macros="use: [nobody]\n"),
        _file(_methane("value > 1 %")),
        "file",
    ),
}

UNIT_FAULTS: Final = {
    "E201": Explanation(
        "The table of units is closed, so that a slip of the pen is never a unit.",
        "value >= 1 procent",
        "value >= 1 %",
        "when",
    ),
    "E202": Explanation(
        "A window or a hold is a fixed duration with its unit.",
        "mean(15) >= 1 %",
        "mean(15s) >= 1 %",
        "when",
    ),
    "E203": Explanation(
        "The two sides measure different things: a slope is a quantity per time.",
        "slope(5m) >= 1 %",
        "slope(5m) >= 1 %/min",
        "when",
    ),
    "E204": Explanation(
        "A number takes its unit from the input only beside a quantity of the input itself; beside "
        "a slope or a duration nobody can know what was meant.",
        "slope(5m) >= 0.1",
        "slope(5m) >= 0.1 %/min",
        "when",
    ),
    "E205": Explanation(
        "0 °C is an arbitrary point: 20 °C is not twice 10 °C, and 10 °C + 10 °C means nothing.",
        "a temperature in °C: `mean(5m) * 2 > 40 °C`",
        "`mean(5m) - 20 K > 20 °C`",
        "",
    ),
    "E206": Explanation(
        "An attribute is of the kind it is compared with; this one is compared with nothing that "
        "has a kind.",
        "asset.a * asset.b >= 1",
        "asset.a * value >= 1 %",
        "when",
    ),
    "E207": Explanation(
        "Conditions are joined, quantities are compared, texts are equal or not.",
        "value",
        "value >= 1 %",
        "when",
    ),
    "E208": Explanation(
        "A temperature and a difference of temperatures are two things.",
        "a temperature in °C: `value > rise(1h)`",
        "`rise(1h) > 5 K`",
        "",
    ),
    "E210": Explanation(
        "An input with several sensors is a set; a comparison needs one value.",
        "`gas >= 20 %LEL`, where `gas` has `many: true`",
        "`gas.max_of(mean(10s)) >= 20 %LEL`",
        "",
    ),
    "E211": Explanation(
        "An input is one sensor for each instance, or it is a set; nobody can mean both.",
        _file(_tank("p.mean(5m) > 3 kPa and p.any(value > 5 kPa)")),
        _file(_tank("p.max_of(mean(5m)) > 3 kPa and p.any(value > 5 kPa)")),
        "file",
    ),
    "E212": Explanation(
        "Inside a set method one member is looked at: its own features and attributes, nothing "
        "that belongs to the whole instance.",
        _file(_tank("gas.any(value > 20 %LEL and p > 5 kPa)")),
        _file(_tank("gas.any(value > 20 %LEL) and p > 5 kPa")),
        "file",
    ),
    "E213": Explanation(
        "Where each instance is one sensor there is nothing to count.",
        _file(_methane("input.votes(value > 1 %) >= 2")),
        _file(_methane("neighbours(1 km).votes(value > 1 %) >= 2")),
        "file",
    ),
    "E214": Explanation(
        "The greatest of a pressure and a temperature is neither.",
        _file(_all_types("s.max_of(value) > s.min_of(value)")),
        _file(_all_types("s.max_of(age / asset.period) > 3")),
        "file",
    ),
    "E215": Explanation(
        "A force of the wind is a range of speeds: from force 8 on is 17.2 m/s and more, and "
        "beyond force 8 is something else than beyond 17.2 m/s.",
        "a wind in m/s: `mean(2m) > 8 beaufort`",
        "`mean(2m) >= 9 beaufort`",
        "",
    ),
    "N107": Explanation(
        "`5m` is five minutes where a duration must stand, and five metres elsewhere.",
        "a water level in m: `value > 5m`",
        "`value > 5 m`",
        "",
    ),
    "W204": Explanation(
        "A number beside a quantity is read in the unit of the input. The next reader should not "
        "have to know that.",
        "value >= 1",
        "value >= 1 %",
        "when",
    ),
}
