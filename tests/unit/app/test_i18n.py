"""Both languages say the same things, and everything the code asks for is there."""

import json
import re
from collections import Counter
from pathlib import Path
from string import Formatter

import pytest

from app import i18n
from app.i18n import LANGUAGES, LOCALES, catalogue, plural_form
from backend.contracts.base import Reason

ROOT = Path(__file__).resolve().parents[3]
LITERAL_KEY = re.compile(r"(?<![\w.])(t|count)\(\s*\"([a-z0-9_.]+)\"")


def holes(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_key_has_one_home(language):
    homes = Counter(key for path in (LOCALES / language).glob("*.json") for key in json.loads(path.read_text("utf-8")))
    assert [key for key, count in homes.items() if count > 1] == []


def test_both_languages_have_the_same_files_and_keys():
    files = [{path.name for path in (LOCALES / language).glob("*.json")} for language in LANGUAGES]
    assert files[0] == files[1]
    assert set(catalogue("ru")) ^ set(catalogue("en")) == set()


def test_both_languages_have_the_same_holes():
    different = [key for key in catalogue("ru") if holes(catalogue("ru")[key]) != holes(catalogue("en").get(key, ""))]
    assert different == []


def test_every_key_that_pages_name_exists():
    missing = set()
    for path in [*(ROOT / "app").rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        for function, key in LITERAL_KEY.findall(path.read_text("utf-8")):
            wanted = [key] if function == "t" else [f"{key}.{form}" for form in ("one", "few", "many")]
            missing |= {f"{path.name}: {one}" for one in wanted if one not in catalogue("ru")}
    assert missing == set()


@pytest.mark.parametrize(
    ("number", "form"), [(1, "one"), (2, "few"), (5, "many"), (11, "many"), (21, "one"), (112, "many"), (0, "many")]
)
def test_russian_plural_forms(number, form):
    assert plural_form("ru", number) == form


def test_a_reason_without_a_sentence_still_says_what_it_knows():
    assert i18n.render(Reason(code="never_heard_of", params={"n": 3})) == "never_heard_of n=3"


def test_the_hint_of_a_reason_is_found():
    reason = Reason(code="script_killed", params={"signal": "SIGKILL"})
    assert i18n.render_hint(reason) == catalogue("ru")["reason.script_killed.hint"] != ""
    assert i18n.render_hint(Reason(code="finished")) == ""


def test_what_happened_and_what_to_do_are_two_sentences():
    failed = Reason(code="script_failed", params={"error": "KeyError: 'lr'"})
    assert i18n.render_whole(failed).endswith("KeyError: 'lr'. " + i18n.render_hint(failed))
    assert i18n.render_whole(Reason(code="finished")) == i18n.render(Reason(code="finished"))


def test_a_hole_without_a_value_stays_visible(monkeypatch):
    monkeypatch.setattr(i18n, "catalogue", lambda language: {"error.x.message": "{a} of {b}"})
    assert i18n.render(Reason(code="x", params={"a": 1})) == "1 of {b}"
