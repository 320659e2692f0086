"""The feeds: how each outside source becomes FHIR R4. No rule, no user, no Flask."""
