"""Who looks in a benchmark: so many persons, each with a patient and a token of their own, that no quota binds."""

import time
from dataclasses import dataclass, field

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

HOST = "127.0.0.1"
PERSONS = 512
"""At 600 looks an hour each, more than a run can ask for; a look finds some dozen earlier ones of its person."""
MARK = "@@@@@"
"""Stands for a patient's number in precomputed answers."""
BIRTH_DATE = "1980-01-12"
INS_SYSTEM = "urn:oid:1.2.250.1.213.1.4.10"
FEED_PATIENT = "lab-{}"
PUBLIC_BASE = "https://vitrine.example"
CLIENT = "results-pane"
TOKEN_SECONDS = 3600


def number(person: int) -> str:
    """Of a person and of their patient."""
    return f"{person % PERSONS:0{len(MARK)}}"


def ins(patient_number: str) -> str:
    """The patient's national identifier, which ends with the number."""
    return f"2800159990{patient_number}"


@dataclass(frozen=True, slots=True)
class TokenMaker:
    """Signs access tokens as the issuer at `issuer`."""

    issuer: str
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"}))

    @property
    def jwks(self) -> dict[str, object]:
        """The public key, as published."""
        return dict(KeySet([self.key]).as_dict(private=False))

    def token(self, person: int, serial: int = 0, shift: int = 0) -> str:
        """A clinician's token with that person's patient in context; `serial` tells tokens of one person apart.

        In another `shift` another person looks at the same patient.
        """
        now = int(time.time())
        name = f"dr-{number(person)}" + (f"-{shift}" if shift else "")
        claims = {
            "iss": self.issuer,
            "sub": name,
            "aud": f"{PUBLIC_BASE}/fhir",
            "client_id": CLIENT,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": f"{number(person)}-{serial}-{time.perf_counter_ns()}",
            "scope": "openid fhirUser launch patient/*.rs",
            "fhirUser": f"Practitioner/{name}",
            "patient": f"p{number(person)}",
        }
        return jwt.encode({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}, claims, self.key)
