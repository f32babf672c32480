"""Text that has a form on the wire and in the record: no halves of surrogate pairs, no NUL."""


def well_formed(text: str) -> str:
    """Return `text` such that it can be encoded: a stream that is cut between two halves leaves one alone."""
    try:
        _ = text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def without_nul(text: str) -> str:
    """Return `text` with each U+0000 replaced, which PostgreSQL's text does not take."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text
