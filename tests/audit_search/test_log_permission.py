"""What of the log a reader reaches, apart from HTTP."""

import pytest

from plugin.audit.search import Reach
from plugin.consultation import log_permission
from plugin.errors import Refused
from policies.vocabulary.consultation import AuditConsultation, Reason
from policies.vocabulary.identity import Client, Identity, Person, Subject
from policies.vocabulary.log_search import LogMark, LogSearch
from policies.vocabulary.purposes import PurposeSource
from policies.vocabulary.scopes import parse

BASES = {"hospital": "https://ehr.example/fhir", "clinic": "https://clinic.example/fhir"}


def auditor(ehr: str = "hospital", subject: Subject = Subject.PROFESSIONAL) -> Identity:
    return Identity(
        ehr=ehr,
        subject=subject,
        person=Person("https://login.example", "a-1"),
        client=Client("console"),
        grants=parse("user/AuditEvent.rs"),
        launch_patient=None,
        purposes=("HCOMPL",),
        purpose_source=PurposeSource.CLAIM,
        token_reference=None,
        auditor=True,
    )


def test_an_auditor_reaches_one_ehr_and_an_operator_all() -> None:
    asked = AuditConsultation("", search=LogSearch())
    assert log_permission.reach(auditor("clinic"), asked, BASES) == Reach("clinic", (BASES["clinic"],))
    operator = auditor("", Subject.OPERATOR)
    assert log_permission.reach(operator, asked, BASES) == Reach(None, tuple(BASES.values()))


def test_a_token_reaches_nothing_but_a_search() -> None:
    """Ranges and names are the machine's: no tenant bounds them."""
    for asked in (AuditConsultation("", 0, 9), AuditConsultation("", name="r1")):
        with pytest.raises(Refused) as refused:
            log_permission.reach(auditor(), asked, BASES)
        assert refused.value.reason == Reason.ACCESS_DENIED


def test_a_next_link_is_for_the_same_person_at_the_same_ehr() -> None:
    """One login may be an auditor of two; the rest of one's search is no search of the other."""
    mark = LogMark(9, "2026-03-01T12:00:00.000000Z", 3)
    asked = AuditConsultation("", search=LogSearch(mark=mark, reader=log_permission.reader(auditor())))
    log_permission.reach(auditor(), asked, BASES)
    with pytest.raises(Refused) as refused:
        log_permission.reach(auditor("clinic"), asked, BASES)
    assert refused.value.reason == Reason.PAGE_LINK_FOREIGN
