"""The ways in which a consultation does not end in a release.

Each error knows its FHIR issue code and HTTP status (view_only.md section 5), its stable reason key, and one sentence
for the caller. None carries patient data, a token, a rule's text or anything from outside.
"""

from plugin.event import Outcome
from policies.vocabulary.consultation import Objection, Reason


class ConsultError(Exception):
    """A consultation that released nothing."""

    issue_code = "exception"
    status = 500
    reason = "internal-error"
    text = "The request could not be answered."
    retry_after: int | None = None
    """Seconds, where trying again makes sense."""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)
        self.text = text or self.text


class Unidentified(ConsultError):
    """No verified identity stands behind the request: counted, not recorded singly."""

    issue_code, status, reason = "login", 401, "no-credential"
    text = "A bearer token is needed."
    oauth_error: str | None = None
    """The RFC 6750 error code; None where no credential was presented (section 3.1)."""

    def __init__(self, text: str | None = None, *, verified_subject: str | None = None) -> None:
        super().__init__(text)
        self.verified_subject = verified_subject
        """`issuer subject client` where signature and expiry held and something else failed, else None."""


class CredentialMalformed(Unidentified):
    """The request carries a token in a way that RFC 6750 forbids: in the query or body, twice, or not as Bearer."""

    issue_code, status, reason, oauth_error = "invalid", 400, "credential-malformed", "invalid_request"
    text = "Send one bearer token, in the Authorization header only."


class TokenInvalid(Unidentified):
    """The token could not be verified, or is not meant for us."""

    issue_code, reason, oauth_error = "unknown", "invalid-token", "invalid_token"
    text = "The access token cannot be accepted."


class TokenExpired(TokenInvalid):
    """The token was good once."""

    issue_code, reason = "expired", "expired-token"
    text = "The access token has expired."


class IssuerUnreachable(ConsultError):
    """The issuer's keys, or its word about a token, could not be had, so nobody can be identified by it now."""

    issue_code, status, reason, retry_after = "transient", 503, "issuer-unreachable", 10
    text = "The authorization server cannot be reached to verify the token."


class CallerThrottled(Unidentified):
    """Too many failed authentications from one address."""

    issue_code, status, reason, retry_after = "throttled", 429, "caller-throttled", 60
    text = "Too many failed attempts."


class LaunchMalformed(Unidentified):
    """A launch, or the answer to one, that SMART App Launch does not know in this form."""

    issue_code, status, reason = "invalid", 400, "launch-malformed"
    text = "This is not a launch as an EHR makes it."


class LaunchForeign(Unidentified):
    """A launch that is not of a configured EHR, or names another one's server."""

    issue_code, status, reason = "forbidden", 403, "launch-foreign"
    text = "This launch does not come from an EHR that is known here."


class LaunchMixedUp(Unidentified):
    """The answer to a launch that this browser did not begin, that was answered before, or that another server gave."""

    issue_code, status, reason = "forbidden", 403, "launch-mixed-up"
    text = "This answer belongs to no launch that this browser has begun."


class LaunchForgotten(ConsultError):
    """The browser keeps nothing where it was launched. Nobody failed to authenticate: held against no address."""

    issue_code, status, reason = "login", 403, "launch-forgotten"
    text = "The browser did not keep the beginning of the launch."


class LaunchDenied(Unidentified):
    """The EHR's authorization server, or the person there, said no."""

    issue_code, status, reason = "forbidden", 403, "launch-denied"
    text = "The EHR did not allow the launch."


class LaunchUnproven(Unidentified):
    """What the authorization server answered does not prove who launches."""

    issue_code, status, reason = "unknown", 403, "launch-unproven"
    text = "The EHR did not prove who launches."


class ViewUnknown(Unidentified):
    """No view has this id and this secret: another person's, another browser's, or none at all."""

    issue_code, reason = "unknown", "view-unknown"
    text = "There is no such view for you: open it from the EHR."


class ViewOver(ViewUnknown):
    """The view has ended: its time is over, or nobody used it."""

    issue_code, reason = "expired", "view-over"
    text = "This view is over: open it again from the EHR."


class FormForeign(Unidentified):
    """A form that is not of the page of this view: somebody else's page may have sent it, so nothing was done."""

    issue_code, status, reason = "forbidden", 403, "form-foreign"
    text = "The form was not sent from a page of this view."


class Refused(ConsultError):
    """An identified caller was refused."""

    issue_code, status = "forbidden", 403

    # `status`: where the reason's usual one does not fit the address.
    def __init__(
        self, reason: Reason, *, rules: tuple[str, ...] = (), about: str | None = None, status: int | None = None
    ) -> None:
        self.issue_code, usual, sentence = REFUSALS[reason]
        self.status = status or usual
        self.reason = str(reason)
        self.rules = rules
        super().__init__(sentence.format(about=about or "this"))
        if reason is Reason.QUOTA:
            self.retry_after = 600


class ScopeInsufficient(Refused):
    """The token's scopes do not reach what is asked (RFC 6750: 403 insufficient_scope)."""

    def __init__(self, needed: str) -> None:
        self.needed = needed
        super().__init__(Reason.INSUFFICIENT_SCOPE, rules=("scope",), about=needed)


class ShapeRefused(Refused):
    """The face found the shape of the request wrong."""

    def __init__(self, objection: Objection) -> None:
        super().__init__(objection.reason, rules=("shape",), about=objection.about)


REFUSALS: dict[Reason, tuple[str, int, str]] = {
    Reason.UNKNOWN_FEED: ("not-found", 404, "There is no such feed."),
    Reason.UNKNOWN_TYPE: ("not-found", 404, "This resource type is not offered here."),
    Reason.UNKNOWN_ADDRESS: ("not-found", 404, "There is nothing at this address."),
    Reason.UNKNOWN_OPERATION: ("not-supported", 404, "This operation is not known."),
    Reason.UNKNOWN_PARAMETER: ("not-supported", 400, "The search parameter {about} is not supported here."),
    Reason.REFUSED_PARAMETER: ("not-supported", 400, "The search parameter {about} is refused by this gateway."),
    Reason.INVALID_VALUE: ("value", 400, "The value of {about} is not valid."),
    Reason.REPEATED_PARAMETER: ("value", 400, "The parameter {about} may be given only once."),
    Reason.PATIENT_AMBIGUOUS: ("value", 400, "One request names exactly one patient, without lists or modifiers."),
    Reason.METHOD_OVERRIDE: ("not-supported", 400, "Method overrides are refused."),
    Reason.NOT_ACCEPTABLE: ("not-supported", 406, "Answers are given as FHIR JSON only."),
    Reason.UNSUPPORTED_MEDIA_TYPE: ("not-supported", 415, "A search body is application/x-www-form-urlencoded."),
    Reason.BODY_TOO_LARGE: ("too-long", 413, "The search body is too large."),
    Reason.METHOD_NOT_ALLOWED: (
        "not-supported",
        405,
        "This method is not allowed here: the gateway gives view-only access.",
    ),
    Reason.PAGE_LINK_INVALID: ("value", 400, "This page link was not issued here."),
    Reason.PAGE_LINK_EXPIRED: ("deleted", 410, "This page link has expired; search again."),
    Reason.PAGE_LINK_FOREIGN: ("forbidden", 403, "This page link was issued for another reader, patient or search."),
    Reason.VIEW_ONLY: (
        "not-supported",
        405,
        "This gateway gives view-only access; nothing can be stored or changed through it.",
    ),
    Reason.OPERATION_REFUSED: ("forbidden", 403, "This operation is refused: the gateway gives view-only access."),
    Reason.PATIENT_REQUIRED: (
        "required",
        400,
        "The request must name one patient: none is in context and no patient parameter is given.",
    ),
    Reason.ACCESS_DENIED: ("forbidden", 403, "Access is refused."),
    Reason.INSUFFICIENT_SCOPE: ("forbidden", 403, "The token does not grant {about}."),
    Reason.NOT_FOUND: ("not-found", 404, "There is nothing to show at this address."),
    Reason.PURGED: ("deleted", 410, "This record was removed when its retention period was over."),
    Reason.QUOTA: ("throttled", 429, "Too many consultations; a view is not an extractor."),
    Reason.TOO_COSTLY: ("too-costly", 403, "The answer is larger than one look may be; narrow the search."),
    Reason.BREAK_GLASS_OPEN: ("conflict", 409, "Emergency access to this patient is open already."),
    Reason.PURPOSE_STATED: ("conflict", 409, "The purpose of this view is stated already."),
    Reason.BREAK_GLASS_NOT_OPEN: ("conflict", 409, "No emergency access to this patient is open."),
}
"""Reason -> (FHIR issue code, status, sentence). A sentence may name a parameter or scope, never a value."""


class FeedFailed(ConsultError):
    """The feed gave no whole answer."""

    issue_code, status, reason = "incomplete", 502, "feed-failed"
    text = "The feed gave no usable answer."

    def __init__(self, feed_answer: str) -> None:
        super().__init__()
        self.feed_answer = feed_answer
        """`FeedError.kind`, for the record."""


class FeedUnreachable(FeedFailed):
    """The feed could not be reached."""

    issue_code, reason, retry_after = "transient", "feed-unreachable", 10
    text = "The feed could not be reached."


class FeedTooSlow(FeedFailed):
    """The feed did not answer in time."""

    issue_code, status, reason, retry_after = "timeout", 504, "feed-timeout", 10
    text = "The feed did not answer in time."


class FeedBusy(FeedFailed):
    """The feed's breaker is open, or all the threads that it may hold are waiting for it: it is not asked."""

    issue_code, status, reason, retry_after = "transient", 503, "feed-busy", 10
    text = "The feed is not being asked at the moment because it does not answer."


class FileUnusable(FeedFailed):
    """The feed gave a file that is not what its document says: nobody can tell whose it is, or whether it is whole."""

    reason = "file-unusable"
    text = "The file at the feed is not what its document says: it is broken, changed or of another kind."


class EhrUnreachable(ConsultError):
    """The EHR could not be asked for the identifiers of the patient, so nobody can be matched."""

    issue_code, status, reason, retry_after = "transient", 502, "ehr-failed", 10
    text = "The patient's identifiers could not be read from the EHR."


class EhrRefused(ConsultError):
    """The EHR answered, and does not let the patient's identifiers be read: it takes the token no more, or never."""

    issue_code, status, reason = "exception", 502, "ehr-refused"
    text = "The EHR did not allow the patient's identifiers to be read."


class StateUnavailable(ConsultError):
    """The shared state cannot be read or written: no quota can be kept, and it cannot be told who is suspended."""

    issue_code, status, reason, retry_after = "transient", 503, "state-unavailable", 5
    text = "The gateway cannot read or keep its shared state, so nothing can be shown."


class Overloaded(ConsultError):
    """Admission found no place for the request."""

    issue_code, status, reason, retry_after = "throttled", 503, "overloaded", 2
    text = "The gateway is busy."


class LogUnreadable(ConsultError):
    """The ledger cannot be read."""

    issue_code, status, reason = "exception", 503, "log-unreadable"
    text = "The log cannot be read."


class SpaceLow(ConsultError):
    """Too little space is left where the log is kept: strangers are refused first, then everybody."""

    issue_code, status, reason, retry_after = "no-store", 503, "no-space", 60
    text = "There is too little space left to keep the log, so nothing can be shown."


class RecordUnavailable(ConsultError):
    """The audit record could not be made durable, so nothing was released."""

    issue_code, status, reason, retry_after = "no-store", 503, "no-store", 5
    text = "The audit record cannot be written, so nothing can be shown."

    def __str__(self) -> str:
        """For who operates the gateway; `text` is for the caller."""
        return f"the record cannot be written: {self.problem}"

    @property
    def problem(self) -> str:
        """Why, in the ledger's words: for the process log, not for the caller."""
        return str(self.__cause__)


def outcome_of(error: BaseException) -> tuple[Outcome, str]:
    """How a record tells what ended with `error`: refusals are 4; a feed or we failed, 8; unavailable, 12; and why.

    An error that is not a ConsultError is a defect of ours.
    """
    known = error if isinstance(error, ConsultError) else ConsultError()
    if known.status == 503:
        return Outcome.UNAVAILABLE, known.reason
    return Outcome.FAILED if known.status >= 500 else Outcome.REFUSED, known.reason
