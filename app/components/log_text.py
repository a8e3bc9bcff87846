"""Text of a log as a page shows it: the end of it, and the lines of one process of several. Pure."""


def shown_text(content: bytes, total_bytes: int, characters: int, rank: int | None = None) -> tuple[str, bool]:
    """What to show of a log whose end is `content`: at most `characters` in whole lines, and whether that is all.

    `rank`: only the lines that torchrun marked as this process's, without the mark.
    """
    text, is_whole = content.decode(errors="replace"), len(content) >= total_bytes
    if not is_whole:
        text = _from_next_line(text)
    if rank is not None:
        text = _lines_of_rank(text, rank)
    if len(text) > characters:
        text, is_whole = _from_next_line(text[-characters:]), False
    return text, is_whole


def _from_next_line(text: str) -> str:
    """Without its first line, half of which is missing; one endless line stays."""
    return text.partition("\n")[2] or text


def _lines_of_rank(text: str, rank: int) -> str:
    mark = f"[rank {rank}] "
    return "\n".join(line.removeprefix(mark) for line in text.splitlines() if line.startswith(mark))
