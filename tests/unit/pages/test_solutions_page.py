import json

from backend.contracts.base import ErrorReply
from backend.contracts.pipelines import PipelineFile
from backend.contracts.projects import Code, CodeFile
from tests.unit.app import contract_objects, data_objects
from tests.unit.app.data_objects import HOSTILE
from tests.unit.app.ui_fixtures import shown_text

STATE = f"p1_{contract_objects.NOW.timestamp()}"


def test_without_solutions_the_page_leads_to_projects(world, open_page):
    page = open_page("solutions")
    assert not page.exception
    assert "No solutions yet" in page.info[0].value


def test_the_catalogue_shows_the_newest_version_of_each_name(world, open_page):
    for number in (1, 2):
        world.solutions[f"s{number}"] = data_objects.solution(id=f"s{number}", version=number, description=HOSTILE)
    page = open_page("solutions")
    assert not page.exception
    assert [button.key for button in page.button if button.key.startswith("details_")] == ["details_s2"]
    assert "2 versions" in shown_text(page)
    assert "<img" not in shown_text(page).replace("\\<img", "")
    page.button(key="details_s2").click().run()
    assert not page.exception
    assert page.query_params["solution"] in ("s2", ["s2"])


def test_details_show_weights_and_open_as_a_project(world, open_page):
    world.solutions["s1"] = data_objects.solution()
    world.created["/solutions/s1/open"] = world.projects["p9"] = contract_objects.project(id="p9", code=Code())
    page = open_page("solutions", solution="s1")
    assert not page.exception
    tables = [table.value for table in page.dataframe]
    weights = next(table for table in tables if "Format" in table).iloc[0]
    assert (weights["Format"], weights["Download"]) == ("onnx", f"/download/{'d0' * 32}/model.onnx")
    page.button(key="open_solution").click().run()
    assert not page.exception
    assert page.query_params["project"] in ("p9", ["p9"])


def test_the_export_form_starts_from_the_project_and_takes_the_runs_weights(world, open_page):
    world.projects["p1"] = contract_objects.project()
    world.runs["r1"] = contract_objects.run()
    world.created["/solutions"] = world.solutions["s1"] = data_objects.solution()
    page = open_page("solutions", project="p1", train_run="r1")
    assert not page.exception
    page.text_input(key=f"export_name_{STATE}").set_value("Classifier")
    page.button(key="export_submit").click().run()
    assert not page.exception
    sent = json.loads(world.bodies("POST", "/solutions")[0])
    assert sent == {
        "project_id": "p1",
        "name": "Classifier",
        "train_file": "train.py",
        "test_file": "test.py",
        "description": "",
        "main_file": "train.py",
        "arguments": "",
        "device": "cpu",
        "train_run_id": "r1",
    }
    assert page.query_params["solution"] in ("s1", ["s1"])


def test_required_fields_are_asked_for_before_anything_is_sent(world, open_page):
    world.projects["p1"] = contract_objects.project(train_file="")
    page = open_page("solutions", project="p1")
    page.text_input(key=f"export_name_{STATE}").set_value(" ")
    page.button(key="export_submit").click().run()
    assert not page.exception
    assert "Name, Training launch file" in page.warning[0].value
    assert world.bodies("POST", "/solutions") == []


def test_a_pipeline_can_be_exported_as_the_launch_file(world, open_page):
    file = CodeFile(path="train.yaml", size_bytes=7, sha256=world.put_object(b"atp: 1\n", "text/plain"))
    world.projects["p1"] = contract_objects.project(code=Code(sha256="c0" * 32, files=(file,)), train_file="train.yaml")
    world.pipelines["p1"].append(PipelineFile(path="train.yaml", size_bytes=7, sha256=file.sha256))
    world.created["/solutions"] = world.solutions["s9"] = data_objects.solution(id="s9")
    page = open_page("solutions", project="p1")
    page.button(key="export_submit").click().run()
    assert not page.exception
    sent = json.loads(world.bodies("POST", "/solutions")[0])
    assert (sent["train_file"], sent["main_file"]) == ("train.yaml", "train.yaml")


def test_a_refused_export_shows_why_and_keeps_the_form(world, open_page):
    world.projects["p1"] = contract_objects.project()
    world.failures["POST", "/solutions"] = (422, ErrorReply(code="nobody_knows", message="train.py is not there"))
    page = open_page("solutions", project="p1")
    page.button(key="export_submit").click().run()
    assert not page.exception
    assert "train.py is not there" in page.error[0].value
    assert page.text_input(key=f"export_name_{STATE}").value == "weld_defects"


def test_a_project_without_code_cannot_be_exported(world, open_page):
    world.projects["p1"] = contract_objects.project(code=Code(), train_file="", test_file="")
    page = open_page("solutions", project="p1")
    assert not page.exception
    assert "Upload code first" in page.warning[0].value


def test_without_a_backend_the_page_says_so(silent_backend, open_page):
    page = open_page("solutions")
    assert not page.exception
    assert page.warning
