"""Explanations: why each code of the rule language exists, with a wrong and a right example.

A fault says what is wrong in one line of one file; an explanation says why that is refused at all.
The examples are fragments, and a test reads every one of them: the wrong one gives its code, the
right one does not. `part` says what the fragment is: a whole `file`, keys of a `rule`, the `ladder`
or a `level`, a condition (`when`), a `headline`, a `feed`, an expectation (`expect`). Where no text
can show the fault, `wrong` says it in words and `part` is empty.
"""

from typing import Final

from rules.file_explanations import SHAPE_FAULTS, YAML_FAULTS, Explanation
from rules.structure_explanations import STRUCTURE_FAULTS

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
    "E120": Explanation(
        "There are no functions but the features; macros belong to a later version.",
        "`rising(p, 2m, 5 kPa/min)` without a macro `rising`",
        "`p.slope(2m) >= 5 kPa/min`",
        "",
    ),
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

GRADING_FAULTS: Final = {
    "E301": Explanation(
        "A graver grade must never be easier to reach than a milder one.",
        "value: value\nabove: {blue: 0.8, yellow: 0.7}",
        "value: value\nabove: {blue: 0.7, yellow: 0.8}",
        "ladder",
    ),
    "E302": Explanation(
        "A clear value that is not beyond the entry value makes the grade come and go at each "
        "reading.",
        "value: value\nabove: {blue: 0.5}\nclear: {blue: 0.6}",
        "value: value\nabove: {blue: 0.5}\nclear: {blue: 0.4}",
        "ladder",
    ),
    "E303": Explanation(
        "A rule is graded in exactly one way, and a ladder goes in one direction.",
        "value: value\nabove: {blue: 1}\nbelow: {blue: 0}",
        "value: value\nabove: {blue: 1}",
        "ladder",
    ),
    "E304": Explanation(
        "A deadband is a fixed quantity, or a percentage of the entry value. Of an input in %, "
        "`5%` could be either.",
        "value: value\nabove: {blue: 1}\ndeadband: 5%",
        "value: value\nabove: {blue: 1}\ndeadband: 0.05",
        "ladder",
    ),
    "E305": Explanation(
        "A grade left out of a ladder does not exist, so nothing can be held for it.",
        "value: value\nabove: {blue: 1}\nfor: {red: 1m}",
        "value: value\nabove: {blue: 1}\nfor: {blue: 1m}",
        "ladder",
    ),
    "E306": Explanation(
        "A pegged sensor cannot raise a grade that the rule does not have.",
        "quality: {over_range: raise red}",
        "quality: {over_range: unknown}",
        "rule",
    ),
    "E308": Explanation(
        "A condition that looks at no reading is true for ever, or never.",
        "blue: {when: 2 > 1}",
        "blue: {when: value > 1 %}",
        "level",
    ),
    "E309": Explanation(
        "A ladder is one value and fixed thresholds, so that their order can be checked.",
        "value: value\nabove: {blue: mean(1h)}",
        "value: value - mean(1h)\nabove: {blue: 0.5}",
        "ladder",
    ),
    "E401": Explanation(
        "What a model finds unusual is a question to a person, not an order to evacuate.",
        "orange: {when: anomaly >= 0.99}",
        "orange: {when: anomaly >= 0.99 and value >= 1 %}",
        "level",
    ),
    "E402": Explanation(
        "`latch` keeps a grade until an operator resets it; the rule must have the grade.",
        "latch: [red]",
        "latch: [blue]",
        "rule",
    ),
    "E403": Explanation(
        "A cap below the mildest grade of the rule leaves nothing of it.",
        "value: value\nabove: {red: 1}   # with `cap: yellow`",
        "value: value\nabove: {yellow: 1}",
        "",
    ),
    "E404": Explanation(
        "Silence is not an all-clear: missing data hold a warning.",
        "quality: {unknown: clear}",
        "quality: {unknown: hold}",
        "rule",
    ),
    "W406": Explanation(
        "A grade above the cap is never judged; its condition only looks as if it were.",
        "a rule with red and `cap: yellow`",
        "the rule without red",
        "",
    ),
    "W410": Explanation(
        "Where gas, a process or an earthquake kills, a red that waits 5 minutes is too late.",
        "red: {when: value >= 1.5 %, for: 10m}",
        "red: {when: value >= 1.5 %, for: 30s}",
        "level",
    ),
    "W411": Explanation(
        "A warning that clears within three sensor periods can be cleared by one lucky reading.",
        "blue: {when: value >= 1 %, clear_for: 5s}",
        "blue: {when: value >= 1 %, clear_for: 5m}",
        "level",
    ),
    "W412": Explanation(
        "A window of fewer than three readings is hardly a window.",
        "mean(5s) >= 1 %",
        "mean(15s) >= 1 %",
        "when",
    ),
}

TEXT_FAULTS: Final = {
    "E430": Explanation(
        "A message shows values. It cannot call, loop or compute: it costs what its length says.",
        "{% for i in value %}x{% endfor %}",
        "{{ value }}",
        "headline",
    ),
    "E431": Explanation(
        "Messages know `value`, `grade`, `title`, `basis`, `since`, `sensor`, `asset` and `site`.",
        "{{ valu }}",
        "{{ value }}",
        "headline",
    ),
    "E432": Explanation(
        "The filter does not exist, or shows a quantity in a unit of another kind.",
        "{{ value | q('kPa') }}",
        "{{ value | q('%') }}",
        "headline",
    ),
    "W401": Explanation(
        "Warnings speak Chinese and English; a live rule needs its title in both.",
        "title: {zh: 甲烷超限}",
        "title: {zh: 甲烷超限, en: Methane over limit}",
        "rule",
    ),
    "W402": Explanation(
        "A message in one language only: the default text is used in the other.",
        'message: {zh: {headline: "{{ value }}"}}',
        'message: {zh: {headline: "{{ value }}"}, en: {headline: "{{ value }}"}}',
        "rule",
    ),
    "W403": Explanation(
        "The hazard is part of the topic: consumers choose by it.",
        "a rule without `hazard`",
        "hazard: gas",
        "",
    ),
    "W433": Explanation(
        "Both languages must tell the same.",
        'message: {zh: {headline: "{{ value }}"}, en: {headline: "{{ value }} {{ title }}"}}',
        'message: {zh: {headline: "{{ value }}"}, en: {headline: "{{ value }}"}}',
        "rule",
    ),
    "W434": Explanation(
        "A longer headline is cut on a telephone or a roadside sign.",
        "{{ value }} " + "x" * 130,
        "{{ value }}",
        "headline",
    ),
    "W435": Explanation(
        "People act faster on a number than on an adjective.",
        "methane is high",
        "methane {{ value }}",
        "headline",
    ),
    "E501": Explanation(
        "The feed language: `0.2 for 2m`, `ramp 0.2 to 1.2 over 1m`, `gap 20m`, "
        "`bad 3.9 for 10s`, `late 40 by 12min`, and `@5s` at the end.",
        "0.2 during 2m @5s",
        "0.2 for 2m @5s",
        "feed",
    ),
    "E502": Explanation(
        "An expectation says what must hold: a grade at a time, a grade that is never reached, "
        "the events in order.",
        "{at: 2m}",
        "{at: 2m, grade: none}",
        "expect",
    ),
    "W510": Explanation(
        "A test with a file that is not there proves nothing.",
        "csv: events/2021.csv",
        "0.2 for 2m @5s",
        "feed",
    ),
    "E900": Explanation(
        "The word belongs to the rule language, and this version does not build it. A rule that is "
        "half obeyed is worse than none.",
        "median(5m) >= 1 %",
        "mean(5m) >= 1 %",
        "when",
    ),
}

EXPLANATIONS: Final = (
    YAML_FAULTS | SHAPE_FAULTS | EXPRESSION_FAULTS | GRADING_FAULTS | STRUCTURE_FAULTS | TEXT_FAULTS
)
