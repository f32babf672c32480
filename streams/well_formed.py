"""Text that has a form on the wire: halves of surrogate pairs are joined, lone ones replaced."""


def well_formed(text: str) -> str:
    """Return `text` such that it can be encoded: a stream that is cut between two halves leaves one alone."""
    try:
        _ = text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
