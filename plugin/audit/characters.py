"""Which characters of a text from outside (a name in a token, an operator's reason) may stand in an event or a line."""


def printable(text: str) -> str:
    """`text` without control, separator and bidirectional characters; the commonest text is returned as it is.

    A FHIR string admits few of them and a terminal obeys some. White space becomes a space, anything else U+FFFD; the
    record itself keeps what was there. A text of white space alone, which FHIR does not admit, becomes U+FFFD too.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " if char.isspace() else "�" for char in text)
    return "�" if text.isspace() else text
