"""A look at the log: it has its own rules, asks no feed, and is answered by itself alone."""

from collections.abc import Mapping
from dataclasses import replace

from plugin.attempt import Attempt
from plugin.audit.feed import LogFeed, LogRelease
from plugin.consultation import log_permission
from plugin.consultation.admission import Admission
from plugin.errors import Refused
from policies.decision import decide_log
from policies.vocabulary.consultation import AuditConsultation, Reason
from policies.vocabulary.identity import Identity
from policies.vocabulary.interactions import Interaction
from policies.vocabulary.verdict import Deny


def look(
    log: LogFeed,
    admission: Admission,
    ehr_bases: Mapping[str, str],
    attempt: Attempt,
    identity: Identity,
    asked: AuditConsultation,
    *,
    suspended: bool,
) -> LogRelease:
    """What is handed over once the record is durable. Raises Refused, ShapeRefused, Overloaded …"""
    log_permission.refuse_writing(asked)
    verdict = decide_log(attempt.rulebook, identity, asked, suspended=suspended)
    attempt.rules = verdict.rules
    if isinstance(verdict, Deny):
        raise Refused(Reason.ACCESS_DENIED, rules=verdict.rules)
    reach = log_permission.reach(identity, asked, ehr_bases)
    if asked.search is not None:
        with admission.place():
            release = log.search(asked.search, reach)
        if asked.interaction is Interaction.READ and release.last < release.first:
            absent = Reason.PURGED if log.purged(asked.search, reach) else Reason.NOT_FOUND
            raise Refused(absent, rules=verdict.rules)
    else:
        release = log.find(asked.name) if asked.name else log.records(asked.first, asked.last)
    attempt.log_read = (release.first, release.last)
    return replace(release, reader=log_permission.reader(identity))
