"""Bill: what the state that a plan asks for costs, known before the first frame."""

from dataclasses import dataclass

from rules.plan import Plan


@dataclass(frozen=True, slots=True)
class BillLine:
    """What one sensor type costs."""

    sensor_type: str
    sensor_count: int
    rule_count: int
    pane_ns: int
    bytes_per_sensor: int
    total_bytes: int


def bill(plan: Plan) -> list[BillLine]:
    """What each sensor type with sensors costs."""
    return [
        BillLine(
            sensor_type=bank.sort.name,
            sensor_count=bank.sort.sensor_count,
            rule_count=len(bank.reading_rules) + len(bank.pane_rules),
            pane_ns=bank.pane_ns,
            bytes_per_sensor=bank.bytes_per_sensor,
            total_bytes=bank.bytes_per_sensor * bank.sort.sensor_count,
        )
        for bank in plan.banks
        if bank.sort.sensor_count
    ]
