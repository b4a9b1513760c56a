"""Explanations: why each code of the rule language exists, with a wrong and a right example.

A fault says what is wrong in one line of one file; an explanation says why that is refused at all.
The examples are fragments, and a test reads every one of them: the wrong one gives its code, the
right one does not. `part` says what the fragment is: a whole `file`, keys of a `rule`, the `ladder`
or a `level`, a condition (`when`), a `headline`, a `feed`, an expectation (`expect`). Where no text
can show the fault, `wrong` says it in words and `part` is empty.
"""

from typing import Final

from rules.expression_explanations import EXPRESSION_FAULTS, UNIT_FAULTS
from rules.file_explanations import SHAPE_FAULTS, YAML_FAULTS, Explanation
from rules.structure_explanations import STRUCTURE_FAULTS

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
        "A grade above the cap is judged for the record, and told as the cap.",
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
    "E433": Explanation(
        "A rule on `value` alone is judged reading by reading, others at ends of panes; a rule on "
        "one sensor looks at no others. A message shows what is there to be measured, and never "
        "decides how its rule is judged.",
        'let: {trend: slope(1h)}\nmessage: {en: {headline: "{{ trend }}"}}',
        'let: {over: value - 1 %}\nmessage: {en: {headline: "{{ over }}"}}',
        "rule",
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
}

EXPLANATIONS: Final = (
    YAML_FAULTS
    | SHAPE_FAULTS
    | EXPRESSION_FAULTS
    | UNIT_FAULTS
    | GRADING_FAULTS
    | STRUCTURE_FAULTS
    | TEXT_FAULTS
)
