"""The statement by which the embedded store finds the next records of a search. Every value is bound."""

from plugin.ledger.criteria import Condition, Containing, OneOf, Step, checked

_Value = str | int | bytes


def statement(step: Step) -> tuple[str, list[_Value]]:
    """SQL for (time, position, header, body) of the next records, and its values. Names of columns are ours."""
    criteria = step.criteria
    conditions, values = ["position < ?", "body IS NOT NULL"], list[_Value]([step.size])
    if criteria.way_in is not None and step.entrance is not None:
        conditions.append(f"{checked(criteria.way_in.column)} = ?")
        values.append(step.entrance)
    for each in criteria.others:
        conditions.append(_condition(each))
        values += [text.encode() for text in each.texts] if isinstance(each, Containing) else each.values
    if criteria.positions is not None:
        conditions.append(f"position IN ({_places(criteria.positions)})")
        values += criteria.positions
    for comparison, bound in (("time >= ?", criteria.since), ("time < ?", criteria.until)):
        if bound is not None:
            conditions.append(comparison)
            values.append(bound)
    if step.after is not None:
        # The first of the two is implied by the second, and is what the index is entered by.
        closer, further = ("<=", "<") if step.newest_first else (">=", ">")
        conditions += (f"time {closer} ?", f"(time, position) {further} (?, ?)")
        values += (step.after.time, step.after.time, step.after.position)
    order = "DESC" if step.newest_first else "ASC"
    return (
        f"SELECT time, position, header, body FROM records WHERE {' AND '.join(conditions)}"  # noqa: S608
        f" ORDER BY time {order}, position {order} LIMIT ?",
        [*values, step.count],
    )


def _condition(condition: Condition) -> str:
    if isinstance(condition, Containing):
        return f"({' OR '.join(['instr(body, ?) > 0'] * len(condition.texts)) or '0 = 1'})"
    # The plus keeps SQLite from another way in than the one that was chosen: it has no statistics to choose by.
    if not condition.values:
        return "0 = 1" if isinstance(condition, OneOf) else "0 = 0"
    word = "IN" if isinstance(condition, OneOf) else "NOT IN"
    return f"+{checked(condition.column)} {word} ({_places(condition.values)})"


def _places(values: tuple[str, ...] | tuple[int, ...]) -> str:
    return ", ".join("?" * len(values))
