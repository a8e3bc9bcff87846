"""Sentences of the catalogues as an API reply and as a terminal has them."""

import pytest

from backend.sentences import LANGUAGES, _catalogue, sentence, terminal_sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_terminal_shows_no_markdown(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_LANG", language)
    keys = [key for key, text in _catalogue(language).items() if "`" in text and key.startswith(("cli.", "error."))]
    assert len(keys) > 5
    for key in keys:
        assert "`" not in terminal_sentence(key) and "'" in terminal_sentence(key)


def test_what_fills_a_hole_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_LANG", "en")
    text = terminal_sentence("cli.already_running", {"home": "/a`b", "url": "http://x"})
    assert "/a`b: http://x (process {pid})" in text and "'make stop'" in text


def test_a_reply_keeps_the_marks_and_an_unknown_key_is_its_own_sentence() -> None:
    assert "`make install`" in sentence("cli.doctor.torch.mend")
    assert sentence("no.such.sentence") == "no.such.sentence"
