"""Sets: several sensors of one instance, and what can be asked of all of them at once.

Inside a set method everything speaks of one member: its features, its attributes, constants. What
belongs to the instance (another input, another rule, a step, a cluster, another set) has no meaning
there, and would cost one more loop over everything.
"""

from dataclasses import replace as changed
from typing import TYPE_CHECKING, Literal

from rules import expression as ex
from rules import literals, wording
from rules.drafts import Draft
from rules.errors import Place, nearest
from rules.expression import Members
from rules.measures import Source
from rules.pack import Input
from rules.syntax import Argument, Call, Leaf, place_of
from rules.units import NUMBER, Dimension
from rules.vocabulary import CLUSTER_METHODS, COUNTS, SET_METHODS, TRUTH_METHODS
from rules.yaml_text import TextNode

if TYPE_CHECKING:
    from rules.checking import Checker

# Every input is of a type; `*` is of all of them.
ALL_TYPES = "*"
HULL = "area: cluster.hull(buffer=30 km)"


def of_input(input_name: str, home: Input | None, syntax: Leaf | Call, node: TextNode) -> Draft:
    """All sensors of an input that belong to the instance."""
    return _whole(Members(input=input_name), home, syntax, node)


def cluster(checker: "Checker", syntax: Leaf, node: TextNode) -> Draft | None:
    """The members of the rule's cluster; None after a fault."""
    place = place_of(syntax, node)
    if checker.focus is not None:
        refuse_inside(checker, "`cluster`", place)
        return None
    if checker.cluster is None:
        message, remedy = "this rule has no `cluster`", "add `cluster: {of: …, when: …}`"
        checker.faults.add("E116", place, message, remedy=remedy)
        return None
    checker.looks_at_readings = True
    home = checker.inputs.get(checker.cluster, checker.main)
    return _whole(Members(input=checker.cluster, is_cluster=True), home, syntax, node)


def _whole(members: Members, home: Input | None, syntax: Leaf | Call, node: TextNode) -> Draft:
    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        message = "a set is refused before it is built"
        raise AssertionError(message)

    return changed(Draft.of("set", syntax, node, build), members=members, input=home)


def of_cluster(checker: "Checker", syntax: Call, node: TextNode, depth: int) -> Draft | None:
    """`cluster.size`, `cluster.max(f)` and the methods of all sets."""
    base = syntax.base
    assert isinstance(base, Leaf)
    whole = cluster(checker, base, node)
    if whole is None:
        return None
    place = place_of(syntax, node)
    if syntax.name == "hull":
        message = "`cluster.hull` is an area and no value"
        checker.faults.add("E116", place, message, remedy=f"write `{HULL}` in the rule")
        return None
    if syntax.name == "size":

        def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
            return ex.ClusterSize(place)

        return Draft.of("quantity", syntax, node, build)
    method_name = CLUSTER_METHODS.get(syntax.name, syntax.name)
    return method(checker, changed(syntax, name=method_name), whole, node, depth)


def around(checker: "Checker", syntax: Call, node: TextNode, *, of: Source) -> Draft | None:
    """`neighbours(5 km)` and `same(site)`: other sensors of the input's type."""
    place = place_of(syntax, node)
    if checker.focus is not None:
        refuse_inside(checker, f"`{syntax.name}`", place)
        return None
    items = syntax.arguments.items if syntax.arguments else ()
    example = "neighbours(5 km)" if syntax.name == "neighbours" else "same(site)"
    if len(items) != 1 or items[0].keyword:
        what = "a distance" if syntax.name == "neighbours" else "an attribute"
        message = f"`{syntax.name}` takes {what}"
        checker.faults.add("E111", place, message, remedy=f"write for example `{example}`")
        return None
    value = items[0].value
    if syntax.name == "neighbours":
        radius_m = literals.metres(value, node, checker.faults)
        if radius_m is None:
            return None
        return _whole(Members(input=of.name, radius_m=radius_m), of.input, syntax, node)
    if not isinstance(value, Leaf) or value.form != "name":
        message = "`same` takes the name of an attribute"
        remedy = f"write for example `{example}`"
        checker.faults.add("E111", place_of(value, node), message, remedy=remedy)
        return None
    return _whole(Members(input=of.name, attribute=value.text), of.input, syntax, node)


def method(
    checker: "Checker", syntax: Call, whole: Draft, node: TextNode, depth: int
) -> Draft | None:
    """`gas.votes(value > 20 %LEL)`, `rain.mean_of(sum(1h))`; None after a fault."""
    members = whole.members
    assert members is not None
    place = place_of(syntax, node)
    if syntax.name not in SET_METHODS:
        _refuse_method(checker, syntax, whole, node)
        return None
    if checker.focus is not None:
        refuse_inside(checker, f"`{whole.text}.{syntax.name}`", place)
        return None
    if not _is_set(checker, whole, members, place):
        return None
    items = syntax.arguments.items if syntax.arguments else ()
    if len(items) != 1 or items[0].keyword:
        example = "value > 3" if syntax.name in COUNTS | TRUTH_METHODS else "mean(5m)"
        message = f"`{syntax.name}` takes one expression of a member"
        remedy = f"write for example `{whole.text}.{syntax.name}({example})`"
        checker.faults.add("E111", place, message, remedy=remedy)
        return None
    inner = _of_member(checker, items[0], whole, node, depth)
    is_vote = syntax.name in COUNTS | TRUTH_METHODS
    inner = checker.wanted(inner, "condition" if is_vote else "quantity")
    if inner is None:
        return None
    if is_vote:
        return _vote(syntax, members, inner, node)
    return _gather(checker, syntax, whole, inner, node)


def _is_set(checker: "Checker", whole: Draft, members: Members, place: Place) -> bool:
    """False, with a fault, for an input that is one sensor in every instance."""
    if not members.is_whole:
        return True
    if members.input in checker.many or checker.key not in ("", "sensor"):
        checker.sets.add(members.input)
        return True
    checker.faults.add(
        "E213",
        place,
        f"`{whole.text}` is one sensor here (`by: [sensor]`), and no set",
        remedy="ask it directly, or group the rule by a site: `by: [site]`",
    )
    return False


def _of_member(
    checker: "Checker", item: Argument, whole: Draft, node: TextNode, depth: int
) -> Draft | None:
    """The expression of one member, which must look at its readings."""
    members = whole.members
    assert members is not None
    looked, checker.looks_at_readings = checker.looks_at_readings, False
    checker.focus = checker.member_of(members.input, whole.input)
    draft = checker.walk(item.value, node, depth + 1)
    checker.focus = None
    is_idle, checker.looks_at_readings = not checker.looks_at_readings, True
    if draft is not None and is_idle:
        checker.looks_at_readings = looked
        message = "this looks at no reading of a member, so it would never change"
        checker.faults.add("E308", draft.place, message, remedy="compare a feature")
        return None
    return draft


def _vote(syntax: Call, members: Members, inner: Draft, node: TextNode) -> Draft:
    place = place_of(syntax, node)
    name: Literal["votes", "share", "any", "all"] = syntax.name  # type: ignore[assignment]

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        return ex.Vote(name, members, inner.make(NUMBER, False), place)

    sort: Literal["quantity", "condition"] = "quantity" if name in COUNTS else "condition"
    return Draft.of(sort, syntax, node, build)


def _gather(
    checker: "Checker", syntax: Call, whole: Draft, inner: Draft, node: TextNode
) -> Draft | None:
    members, home = whole.members, whole.input
    assert members is not None
    is_mixed = home is not None and home.type == ALL_TYPES
    is_mixed = is_mixed and (members.is_whole or members.is_cluster)
    if is_mixed and wording.is_own(checker.solver.dimension(inner)):
        checker.faults.add(
            "E214",
            inner.place,
            f"`{inner.text}` of sensors of several types: they have no unit in common",
            remedy="make it a ratio, such as `age / asset.period`, or ask `neighbours(…)`",
        )
        return None
    place = place_of(syntax, node)
    name = syntax.name

    def build(dimension: Dimension, is_point: bool, of: Input | None) -> ex.Node:
        value = inner.build(dimension, is_point, inner.input or of)
        return ex.Gather(name, members, value, dimension, place)  # type: ignore[arg-type]

    return changed(inner.moved(syntax, node), build=build, is_bare=False)


def _refuse_method(checker: "Checker", syntax: Call, whole: Draft, node: TextNode) -> None:
    place = place_of(syntax, node)
    if not syntax.inside:
        place = node.part(syntax.name_start, syntax.name_end)
    guess = nearest(syntax.name, SET_METHODS)
    remedy = f"did you mean `{guess}`?" if guess else "it has " + ", ".join(sorted(SET_METHODS))
    message = f"`{whole.text}` is a set, and has no `.{syntax.name}`"
    checker.faults.add("E110", place, message, remedy=remedy, fix=guess)


def refuse_inside(checker: "Checker", what: str, place: Place) -> None:
    """Something that is not of a member, inside a set method."""
    message = f"{what} cannot stand inside a set method: there one member is looked at"
    remedy = "ask for a member's own features and attributes, and join the rest with `and`"
    checker.faults.add("E212", place, message, remedy=remedy)
