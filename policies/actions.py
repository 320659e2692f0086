"""The actions of the schema by their groups, and which of them a policy can be about."""

from collections.abc import Mapping
from enum import StrEnum

from cedarpy import pst

from policies.vocabulary.interactions import CONSULTING, Interaction


class Group(StrEnum):
    """What is asked of the rules. Every action is in exactly one."""

    CONSULT = "consult"
    CHANGE = "change"
    SHOW = "show"
    READ_LOG = "read-log"


MEMBERS: Mapping[Group, frozenset[str]] = {
    Group.CONSULT: frozenset(str(each) for each in CONSULTING),
    Group.CHANGE: frozenset(str(each) for each in set(Interaction) - CONSULTING),
    Group.SHOW: frozenset({"show"}),
    Group.READ_LOG: frozenset({"read-log"}),
}
GROUP_OF: Mapping[str, Group] = {action: group for group, members in MEMBERS.items() for action in members}
ALL = frozenset(GROUP_OF)


def actions_of(constraint: object) -> frozenset[str]:
    """The actions that a policy with this constraint can be about; where that cannot be told, all."""
    if isinstance(constraint, pst.ActionEq):
        return _named(constraint.entity.id)
    if isinstance(constraint, pst.ActionIn):
        return frozenset[str]().union(*(_named(each.id) for each in constraint.entities))
    return ALL


def groups_of(constraint: object) -> frozenset[Group]:
    """The groups of those."""
    return frozenset(GROUP_OF[action] for action in actions_of(constraint))


def _named(name: str) -> frozenset[str]:
    """Members of a group, an action, or of a name that the schema does not have (validation refuses it) all."""
    if name in (Group.CONSULT, Group.CHANGE):
        return MEMBERS[Group(name)]
    return frozenset({name}) if name in ALL else ALL
