"""The statement by which PostgreSQL finds the next records of a search. Every value is bound.

An entrance is compared by the beginning that its index holds, then as a whole.
"""

from plugin.ledger.criteria import Condition, Containing, NoneOf, OneOf, Step, checked
from plugin.ledger.postgres_schema import INDEXED_CHARACTERS
from plugin.ledger.postgres_text import to_text

UNORDERED_PLANS = ("enable_bitmapscan", "enable_seqscan", "enable_sort")
"""Settings. Without statistics, which a new ledger lacks, PostgreSQL collects all that an outcome ever had and sorts it
for a page of fifty; an index has them in order, so that it can stop."""
_ORDERED = frozenset({"person", "patient", "outcome", "action"})
"""Columns whose index goes on with time and position."""
_Value = str | int | bool | bytes | list[int] | list[str | None] | list[bytes] | None


def statement(step: Step) -> tuple[str, list[_Value]]:
    """SQL for (time, position, header, body) of the next records, and its values. Names of columns are ours."""
    criteria = step.criteria
    conditions, values = ["position < %s", "body IS NOT NULL"], list[_Value]([step.size])
    if criteria.way_in is not None and step.entrance is not None:
        column, entrance = checked(criteria.way_in.column), to_text(step.entrance)
        conditions += (f"left({column}, {INDEXED_CHARACTERS}) = left(%s, {INDEXED_CHARACTERS})", f"{column} = %s")
        values += (entrance, entrance)
    for each in criteria.others:
        sql, wanted = _condition(each)
        conditions.append(sql)
        values.append(wanted)
    if criteria.positions is not None:
        conditions.append("position = ANY(%s::bigint[])")
        values.append(list(criteria.positions))
    for comparison, bound in (("time >= %s", criteria.since), ("time < %s", criteria.until)):
        if bound is not None:
            conditions.append(comparison)
            values.append(bound)
    if step.after is not None:
        conditions.append(f"(time, position) {'<' if step.newest_first else '>'} (%s, %s)")
        values += (step.after.time, step.after.position)
    order = "DESC" if step.newest_first else "ASC"
    return (
        f"SELECT time, position, header, body FROM ledger.records WHERE {' AND '.join(conditions)}"  # noqa: S608
        f" ORDER BY time {order}, position {order} LIMIT %s",
        [*values, step.count],
    )


def is_ordered(step: Step) -> bool:
    """True if an index holds the records of this step in its order: any other plan is the worse one."""
    way_in = step.criteria.way_in
    return step.criteria.positions is None and (way_in is None or way_in.column in _ORDERED)


def _condition(condition: Condition) -> tuple[str, _Value]:
    if not (condition.texts if isinstance(condition, Containing) else condition.values):
        return "%s::boolean", isinstance(condition, NoneOf)  # a constant: PostgreSQL then reads nothing
    if isinstance(condition, Containing):
        found = "EXISTS (SELECT 1 FROM unnest(%s::bytea[]) AS sought WHERE position(sought IN body) > 0)"
        return found, [text.encode() for text in condition.texts]
    column, values = checked(condition.column), [to_text(each) for each in condition.values]
    if isinstance(condition, OneOf):
        return f"{column} = ANY(%s::text[])", values
    return f"{column} <> ALL(%s::text[])", values
