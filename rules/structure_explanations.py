"""Explanations of faults in how rules, packs and books are put together.

See `explanations` for what the fields mean.
"""

from typing import Final

from rules.file_explanations import Explanation


def _file(*rules: str) -> str:
    """A whole pack around its rules."""
    head = "tocsin: 1\npack: p\nversion: 1.0.0\nowner: o\nrules:\n"
    return head + "".join(
        "  - id: " + "\n".join(["", *rule.split("\n")])[1:].replace("\n", "\n    ") + "\n"
        for rule in rules
    )


COMMON = "title: {zh: 甲, en: A}\nhazard: gas"
METHANE = f'{COMMON}\nby: [sensor]\ninput: {{type: methane, unit: "%", period: 5s}}'
LADDER = "ladder: {value: mean(1m), above: {blue: 1 %}}"
GRAVE = "ladder: {value: mean(1m), above: {blue: 1 %, red: 2 %}}"
OTHER = (
    f'{COMMON}\nby: [dam]\nlet: {{other: rule("X").grade}}\n'
    "levels: {blue: {when: other >= blue}}"
)
SEISMIC = (
    f"{COMMON}\ninputs: {{sta: {{type: accelerometer, unit: cm/s^2, period: 10ms, many: true}}}}\n"
    "cluster: {of: OF, when: value >= 2 cm/s^2, radius: 60 km, within: 12s, members: 4}\n"
    "levels: {blue: {when: cluster.size >= 4}}"
)
STEPS = (
    f"{METHANE}\nsequence:\n  steps:\n    - {{as: high, when: value > 1 %}}\n"
    "    - {as: higher, when: value > 2 %, after: AFTER, within: 1h}\n"
    "levels: {blue: {when: value > 1 %}}"
)

STRUCTURE_FAULTS: Final = {
    "E310": Explanation(
        "A promotion, or an escalation, leads to a graver grade; anything else would hide one.",
        "escalate: [{from: blue, after: 30min, to: blue}]",
        "escalate: [{from: blue, after: 30min, to: yellow}]",
        "rule",
    ),
    "E311": Explanation(
        "The steps of a sequence have names of their own and wait for steps that exist, never for "
        "each other in a circle.",
        _file("s\n" + STEPS.replace("AFTER", "hihg")),
        _file("s\n" + STEPS.replace("AFTER", "high")),
        "file",
    ),
    "E312": Explanation(
        "A cluster is made of the sensors of one input with `many: true`, and an area is drawn "
        "around a cluster.",
        _file("q\n" + SEISMIC.replace("OF", "stations")),
        _file("q\n" + SEISMIC.replace("OF", "sta")),
        "file",
    ),
    "E320": Explanation(
        "An override tunes: thresholds, timings, `mode`, `quality`, `cap`, `message`. It never "
        "changes what a rule is about.",
        "overrides: [{match: {sensor: S1}, set: {hazard: fire}, reason: test}]",
        "overrides: [{match: {sensor: S1}, set: {mode: shadow}, reason: test}]",
        "rule",
    ),
    "E322": Explanation(
        "Beyond its `limits` a threshold is less careful than the pack's author allows; whoever "
        "wants that signs for it.",
        "limits: {blue: 2}\n"
        "overrides: [{match: {sensor: S1}, set: {ladder.above.blue: 3}, reason: test}]",
        "limits: {blue: 2}\n"
        "overrides: [{match: {sensor: S1}, set: {ladder.above.blue: 3}, reason: test, "
        "approved_by: chief}]",
        "rule",
    ),
    "E323": Explanation(
        "Of several overrides the more specific wins, then the later one. Two of one match, or "
        "two equally specific ones in different files, contradict each other.",
        "overrides:\n  - {match: {sensor: S1}, set: {mode: shadow}, reason: test}\n"
        "  - {match: {sensor: S1}, set: {mode: live}, reason: test}",
        "overrides:\n  - {match: {sensor: S1}, set: {mode: shadow}, reason: test}\n"
        "  - {match: {sensor: S2}, set: {mode: live}, reason: test}",
        "rule",
    ),
    "E330": Explanation(
        "A rule that looks at a rule that is not there would wait for ever.",
        _file(f"a\n{COMMON}\nby: [dam]\nrollup: {{of: [c]}}", f"b\n{METHANE}\n{LADDER}"),
        _file(f"a\n{COMMON}\nby: [dam]\nrollup: {{of: [b]}}", f"b\n{METHANE}\n{LADDER}"),
        "file",
    ),
    "E331": Explanation(
        "A rule that waits for itself, by whatever way round, never decides; rules that silence "
        "each other are both silent.",
        _file(f"a\n{COMMON}\nby: [dam]\nrollup: {{of: [b]}}", f"b\n{OTHER.replace('X', 'a')}"),
        _file(f"a\n{COMMON}\nby: [dam]\nrollup: {{of: [b]}}", f"b\n{METHANE}\n{LADDER}"),
        "file",
    ),
    "E504": Explanation(
        "`require_assets` names what every point must have; a point without it would be watched by "
        "a rule that knows nothing of it.",
        "`require_assets: [v_red]`, and three sensors without `v_red` in sensors.csv",
        "a `v_red` for each of them",
        "",
    ),
    "N501": Explanation(
        "No sensor of the catalogue is of the type that the rule is about: it would be silent.",
        "input: {type: methan}",
        "input: {type: methane}",
        "",
    ),
    "N504": Explanation(
        "Some points have no value for an attribute that a rule compares with: there the rule is "
        "silent, and may be meant to be.",
        "above: {red: asset.v_red}, and 38 sensors without `v_red` in sensors.csv",
        "`require_assets: [v_red]`, or `where: asset.v_red != none`",
        "",
    ),
    "W330": Explanation(
        "A rule looks at a rule of a pack that was not among the files. An engine refuses that; "
        "checked alone, the pack can still be right.",
        _file(f"b\n{OTHER.replace('X', 'eew/quake')}"),
        _file(f"b\n{METHANE}\n{LADDER}"),
        "file",
    ),
    "W424": Explanation(
        "Two rules that ask the same of the same sensors send two warnings of one thing.",
        _file(f"a\n{METHANE}\n{LADDER}", f"b\n{METHANE}\n{LADDER}"),
        _file(f"a\n{METHANE}\n{LADDER}"),
        "file",
    ),
    "W426": Explanation(
        "Somebody must be asked when a pack warns at night.",
        _file(f"a\n{METHANE}\n{LADDER}").replace("owner: o\n", ""),
        _file(f"a\n{METHANE}\n{LADDER}"),
        "file",
    ),
    "W407": Explanation(
        "A budget demotes a rule that warns too often; a rule marked `safety` is never demoted.",
        "safety: true\nbudget: {raises: 2, per: sensor, window: 7d, then: shadow}",
        "budget: {raises: 2, per: sensor, window: 7d, then: shadow}",
        "rule",
    ),
    "W408": Explanation(
        "A few words of the language are read and checked, and this version does not act on them.",
        "lateness: {allow: 15min, late: revise}",
        "lateness: {allow: 15min, late: drop}",
        "rule",
    ),
    "W420": Explanation(
        "`mode: live` says that a rule is ready to wake people; a test should have seen it do so.",
        _file(f"a\nmode: live\n{METHANE}\n{GRAVE}"),
        _file(f"a\nmode: shadow\n{METHANE}\n{GRAVE}"),
        "file",
    ),
    "W421": Explanation(
        "A red warning that somebody may mute is a red warning that nobody may hear.",
        _file(f"a\nsuppress: [{{while: shelved, effect: mute}}]\n{METHANE}\n{GRAVE}"),
        _file(f"a\nsuppress: [{{while: shelved, effect: mute, never: [red]}}]\n{METHANE}\n{GRAVE}"),
        "file",
    ),
    "W425": Explanation(
        "Where a graver grade asks for less, or for the same, the milder one is never seen.",
        "blue: {when: value > 1 %}\nyellow: {when: value > 0.5 %}",
        "blue: {when: value > 1 %}\nyellow: {when: value > 2 %}",
        "level",
    ),
    "W423": Explanation(
        "An override whose last day has passed no longer holds; the rule's own settings do.",
        "an override with `until: 2020-01-31`",
        "the same with a day that is to come, or without the override",
        "",
    ),
}
