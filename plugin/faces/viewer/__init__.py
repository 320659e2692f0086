"""The clinician's pages: look, inside the EHR, and import nothing (design section 10)."""
