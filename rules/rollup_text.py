"""Rollup: a rule that grades from the grades of others, the highest first, then by count.

Read from `rollup: {of: […], by: […], take: highest, promote: [{count, at, to}], each: hazard}`.
Whether the rules it names exist is found out when all packs have been read (see `linking`).
"""

from rules.fields import Fields
from rules.pack import Promotion, Rollup
from rules.policy_text import names_of_rules
from rules.vocabulary import PROMOTION, ROLLUP

COUNT_MIN = 2


def open_rollup(rule: Fields) -> Fields | None:
    """The mapping of a rollup; None where the rule has none."""
    return Fields.open(rule.node_of("rollup"), ROLLUP, rule.faults)


def read_rollup(fields: Fields, pack: str) -> Rollup | None:
    """Read a rollup of a rule of `pack`; None after a fault."""
    is_whole = fields.needs("of", remedy="of: [displacement, phreatic]")
    of = names_of_rules(fields, "of", pack)
    fields.word("take", ("highest",))
    promote = _promotions(fields)
    each = fields.word("each", ("hazard",))
    return Rollup(of, promote, each) if is_whole and of else None


def _promotions(fields: Fields) -> tuple[Promotion, ...]:
    """The promotions, from the mildest; two of one grade would contradict each other."""
    found: list[Promotion] = []
    for item in fields.items("promote"):
        part = Fields.open(item, PROMOTION, fields.faults)
        if part is None:
            continue
        example = "promote: [{count: 4, at: blue, to: yellow}]"
        is_whole = part.needs("count", "at", "to", remedy=example)
        count, at, to = part.count("count", COUNT_MIN), part.grade("at"), part.grade("to")
        if not is_whole or count is None or at is None or to is None:
            continue
        place = part.values["to"][1].place
        if to <= at:
            message = f"{count} at {at.word} would count as {to.word}, which is not graver"
            fields.faults.add("E310", place, message, remedy=f"name a grade above {at.word}")
        elif any(known.at == at for known in found):
            message = f"{at.word} is promoted twice"
            fields.faults.add("E310", part.node.place, message, remedy="keep one of them")
        else:
            found.append(Promotion(count, at, to))
    return tuple(sorted(found, key=lambda promotion: promotion.at))
