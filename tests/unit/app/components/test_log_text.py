from app.components.log_text import shown_text

RANKS = b"[rank 0] a\n[rank 1] b\nplain [rank 1] c\n[rank 11] d\n[rank 1] e\n"


def test_a_short_log_is_shown_whole():
    assert shown_text("шов\n".encode(), 7, 100) == ("шов\n", True)


def test_a_cut_log_begins_with_a_whole_line_even_where_a_letter_was_cut_in_two():
    whole = "первая\nвторая\n".encode()
    assert shown_text(whole[1:], len(whole), 100) == ("вторая\n", False)


def test_only_the_last_lines_are_shown():
    assert shown_text(b"one\ntwo\nthree\n", 14, 10) == ("three\n", False)


def test_one_endless_line_is_shown_all_the_same():
    assert shown_text(b"x" * 50, 5_000, 20) == ("x" * 20, False)


def test_a_process_has_its_own_lines_without_the_mark():
    assert shown_text(RANKS, len(RANKS), 100, rank=1) == ("b\ne", True)
    assert shown_text(RANKS, len(RANKS), 100, rank=2) == ("", True)
