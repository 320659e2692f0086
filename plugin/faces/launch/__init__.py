"""SMART App Launch as the browser sees it: the way in from an EHR, and the way back from its login."""
