import json

import pytest

from backend.contracts.base import ErrorReply, Problem
from backend.contracts.parameters import Parameter, ParameterSchema
from backend.contracts.projects import Code, FileText
from tests.unit.app import contract_objects
from tests.unit.app.data_objects import HOSTILE
from tests.unit.app.ui_fixtures import shown_text


def add_project(world, **fields):
    world.projects["p1"] = contract_objects.project(**fields)
    world.code["p1", "train.py"] = FileText(path="train.py", text="print('train')")
    world.code["p1", "test.py"] = FileText(path="test.py", text="print('test')")


def test_without_projects_the_first_one_is_created_here(world, open_page):
    page = open_page("projects")
    assert not page.exception
    assert "No projects yet" in page.info[0].value
    world.created["/projects"] = world.projects["p1"] = contract_objects.project(code=Code())
    page.text_input(key="new_project_name").set_value("  Welds ")
    page.button(key="create_project_submit").click().run()
    assert not page.exception
    assert json.loads(world.bodies("POST", "/projects")[0]) == {"name": "Welds", "description": ""}
    assert page.query_params["project"] in ("p1", ["p1"])
    assert "no code in this project yet" in page.info[0].value


def test_a_project_without_a_name_is_not_sent(world, open_page):
    page = open_page("projects")
    page.button(key="create_project_submit").click().run()
    assert world.bodies("POST", "/projects") == []
    assert page.warning


def test_the_list_shows_hostile_names_as_text_and_opens_a_project(world, open_page):
    add_project(world, name=HOSTILE)
    page = open_page("projects")
    assert not page.exception
    assert "<img" not in shown_text(page).replace("\\<img", "")
    page.button(key="open_p1").click().run()
    assert not page.exception
    assert "print('train')" in shown_text(page)


def test_the_open_file_is_in_the_url_and_an_unknown_one_is_ignored(world, open_page):
    add_project(world)
    assert "print('test')" in shown_text(open_page("projects", project="p1", file="test.py"))
    page = open_page("projects", project="p1", file="../../etc/passwd")
    assert not page.exception
    assert "print('train')" in shown_text(page)


def test_launch_settings_are_saved_together(world, open_page):
    add_project(world)
    world.created["/projects/p1"] = world.projects["p1"]
    page = open_page("projects", project="p1")
    state = f"p1_{contract_objects.NOW.timestamp()}"
    page.selectbox(key=f"train_file_{state}").set_value("test.py")
    page.text_input(key=f"arguments_{state}").set_value("--fast")
    page.button(key="save_launch").click().run()
    assert not page.exception
    sent = json.loads(world.bodies("PATCH", "/projects/p1")[0])
    assert (sent["train_file"], sent["test_file"], sent["arguments"], sent["device"]) == (
        "test.py",
        "test.py",
        "--fast",
        "cpu",
    )


def editor_key(page, kind):
    return next(
        key for key in page.session_state._state.filtered_state if str(key).startswith(f"parameters_{kind}_p1_")
    )


def edit(page, kind, **change):
    page.session_state[editor_key(page, kind)] = {"edited_rows": {}, "added_rows": [], "deleted_rows": [], **change}
    return page.run()


def test_an_edited_parameter_is_saved_with_its_type(world, open_page):
    add_project(world)
    world.created["/projects/p1"] = world.projects["p1"]
    page = open_page("projects", project="p1")
    assert page.button(key="save_parameters").disabled
    edit(page, "train", edited_rows={0: {"default": "12", "maximum": 50}})
    page.button(key="save_parameters").click().run()
    assert not page.exception
    first = json.loads(world.bodies("PATCH", "/projects/p1")[0])["parameters"]["train"][0]
    assert (first["name"], first["default"], first["maximum"]) == ("epochs", 12, 50)


@pytest.mark.parametrize(("language", "typed"), [("en", "epochs"), ("ru", "эпохи")])
def test_the_description_of_the_page_s_language_is_edited_and_the_other_stays(world, open_page, language, typed):
    texts = {"en": "passes", "ru": "проходы"}
    declared = (Parameter(name="epochs", type="int", default=1, description=texts),)
    add_project(world, parameters=ParameterSchema(train=declared))
    world.created["/projects/p1"] = world.projects["p1"]
    page = open_page("projects", language=language, project="p1")
    assert page.button(key="save_parameters").disabled
    edit(page, "train", edited_rows={0: {"description": typed}})
    page.button(key="save_parameters").click().run()
    assert not page.exception
    (sent,) = json.loads(world.bodies("PATCH", "/projects/p1")[0])["parameters"]["train"]
    assert sent["description"] == {**texts, language: typed}


def test_a_refused_parameter_is_located_by_table_and_row(world, open_page):
    add_project(world)
    params = {"kind": "train", "group": "network", "name": "anchors", "range": "1 … 9", "value": "500"}
    reply = ErrorReply(code="nobody_knows", message="bad", problems=(Problem(code="nobody", params=params),))
    world.failures["PATCH", "/projects/p1"] = (422, reply)
    page = open_page("projects", project="p1")
    edit(page, "train", edited_rows={0: {"default": "12"}})
    page.button(key="save_parameters").click().run()
    assert not page.exception
    row = next(table.value for table in page.dataframe if "Line" in table.value).iloc[0]
    assert (row["File"], row["Line"]) == ("Training parameters", 6)


def test_training_waits_for_a_launch_file(world, open_page):
    add_project(world, train_file="")
    page = open_page("projects", project="p1")
    assert page.button(key="to_training").disabled


def test_a_project_that_is_gone_is_an_error_not_a_traceback(world, open_page):
    page = open_page("projects", project="nobody")
    assert not page.exception
    assert page.error


def test_without_a_backend_the_page_says_so(silent_backend, open_page):
    page = open_page("projects")
    assert not page.exception
    assert page.warning
