"""Makes text that people or files gave safe to show where Streamlit reads Markdown."""

_MARKDOWN_SIGNS = "\\`*_[]<>$~#:|!"


def plain(text: str) -> str:
    """`text` with every Markdown sign escaped, so that a class called `**x**` is shown with its stars."""
    return "".join("\\" + sign if sign in _MARKDOWN_SIGNS else sign for sign in text.replace("\n", " "))
