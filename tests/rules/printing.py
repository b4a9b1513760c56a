"""Expressions as one line, every bracket written and every unit gone."""

from rules import expression as ex
from rules.units import NS_PER_S


def printed(node: ex.Node) -> str:
    """What a node means, in the scale of its rule."""
    match node:
        case ex.Number(value=value):
            return f"{value:g}"
        case ex.Text(value=value):
            return repr(value)
        case ex.Feature():
            return _feature(node)
        case ex.Attribute(scope=scope, name=name):
            return f"{scope}.{name}"
        case ex.Arithmetic(operator=operator, left=left, right=right):
            return f"({printed(left)} {operator} {printed(right)})"
        case ex.Negate(operand=operand):
            return f"-{printed(operand)}"
        case ex.Compare(operators=operators, operands=operands):
            rest = zip(operators, operands[1:], strict=True)
            return printed(operands[0]) + "".join(f" {op} {printed(x)}" for op, x in rest)
        case ex.Member(operand=operand, items=items):
            return f"{printed(operand)} in [{', '.join(map(printed, items))}]"
        case ex.And(items=items):
            return f"({' and '.join(map(printed, items))})"
        case ex.Or(items=items):
            return f"({' or '.join(map(printed, items))})"
        case ex.Not(operand=operand):
            return f"not {printed(operand)}"
        case ex.Known(operand=operand):
            return f"known({printed(operand)})"
        case ex.OrElse(first=first, second=second):
            return f"or_else({printed(first)}, {printed(second)})"
        case _:
            return _beyond(node)


def _feature(node: ex.Feature) -> str:
    """`p.mean(300)@604800{p=0.95}→target`."""
    owner = f"{node.input}." if node.input else ""
    owner += f"{node.stream}." if node.stream else ""
    windows = ", ".join(f"{w / NS_PER_S:g}" for w in node.windows_ns)
    text = f"{owner}{node.name}({windows})"
    if node.offset_ns:
        text += f"@{node.offset_ns / NS_PER_S:g}"
    if node.options:
        text += "{" + ", ".join(f"{key}={value:g}" for key, value in node.options) + "}"
    return text if node.target is None else f"{text}→{printed(node.target)}"


def _members(members: ex.Members) -> str:
    name = members.input or "input"
    if members.is_cluster:
        return f"cluster of {name}"
    if members.radius_m is not None:
        return f"{name} within {members.radius_m:g} m"
    return f"{name} of the same {members.attribute}" if members.attribute else name


def _beyond(node: ex.Node) -> str:
    """What looks beyond one sensor."""
    match node:
        case ex.Vote(method=method, members=members, condition=inner):
            return f"{method}[{_members(members)}]({printed(inner)})"
        case ex.Gather(method=method, members=members, of=of):
            return f"{method}[{_members(members)}]({printed(of)})"
        case ex.Step(name=name):
            return f"seq.{name}"
        case ex.OtherRule(rule=rule, what=what, within_ns=within_ns, radius_m=radius_m):
            near = "" if within_ns is None else f" in {within_ns / NS_PER_S:g}"
            near += "" if radius_m is None else f" near {radius_m:g}"
            return f"{rule}.{what}{near}"
        case ex.ClusterSize():
            return "cluster.size"
        case ex.Calendar(name=name, calendar=calendar):
            return f"{name}({calendar})"
        case _:
            raise AssertionError(node)
