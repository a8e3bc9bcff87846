import pytest
import streamlit as st

from app.components import annotation_draft
from app.components.annotation_draft import TRUTH, open_draft
from app.components.box_table import apply_edits
from app.components.boxes import Box
from tests.unit.app import data_objects

CRACK = Box("crack", 10.2, 20.4, 110.6, 90.8)
PORE = Box("pore", 1, 2, 30, 40)


@pytest.fixture(autouse=True)
def _empty_session(monkeypatch):
    monkeypatch.setattr(st, "session_state", {})


def test_a_fresh_draft_shows_what_is_saved_and_is_clean():
    draft = open_draft(data_objects.item(), TRUTH)
    assert draft.boxes == (CRACK,)
    assert not draft.is_dirty


def test_a_draft_with_changes_survives_a_look_at_another_image():
    open_draft(data_objects.item(), TRUTH).boxes = (CRACK, PORE)
    open_draft(data_objects.item(id="i2"), TRUTH)
    assert annotation_draft.unsaved_items(but="i2") == [("i1", TRUTH)]
    assert open_draft(data_objects.item(), TRUTH).boxes == (CRACK, PORE)


def test_a_clean_draft_follows_what_others_save_and_a_changed_one_does_not():
    draft = open_draft(data_objects.item(), TRUTH)
    newer = data_objects.item(revision=2, markup=data_objects.markup(("pore", 1, 2, 30, 40)))
    assert open_draft(newer, TRUTH).boxes == (PORE,)
    draft = open_draft(newer, TRUTH)
    draft.boxes = ()
    assert open_draft(data_objects.item(revision=3), TRUTH).base_revision == 2


def test_order_is_no_change_but_a_class_is():
    item = data_objects.item(markup=data_objects.markup(("crack", 1, 2, 3, 4), ("pore", 5, 6, 7, 8)))
    draft = open_draft(item, TRUTH)
    draft.boxes = draft.boxes[::-1]
    assert not draft.is_dirty
    apply_edits(draft, {0: {"class": "crack"}})
    assert draft.is_dirty


def test_a_prediction_equal_to_the_truth_needs_no_save_whatever_its_confidence():
    draft = open_draft(data_objects.item(), "run:r1", [Box("crack", 10.2, 20.4, 110.6, 90.8, 0.8)])
    assert not draft.is_dirty


def test_every_filling_of_the_canvas_has_a_number_of_its_own():
    draft = open_draft(data_objects.item(), TRUTH)
    seen = {draft.generation}
    draft.replace([PORE])
    seen.add(draft.generation)
    annotation_draft.forget("i1", TRUTH)
    seen.add(open_draft(data_objects.item(), TRUTH).generation)
    assert len(seen) == 3


def test_edits_of_the_table_relabel_and_delete():
    draft = open_draft(data_objects.item(), TRUTH, [CRACK, PORE])
    apply_edits(draft, {0: {"delete": True}, 1: {"class": "crack"}})
    assert draft.boxes == (Box("crack", 1, 2, 30, 40),)
    assert draft.unknown_classes(["pore"]) == ["crack"]
