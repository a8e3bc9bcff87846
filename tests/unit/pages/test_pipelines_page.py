import json

import pytest

from app.components import pipeline_draft, pipeline_place, pipeline_screen
from backend.contracts.base import Reason
from backend.contracts.parameters import Parameter
from backend.contracts.pipelines import (
    PipelineFile,
    PipelineGraph,
    PipelineHelp,
    PipelineProblem,
    PipelineReport,
    PipelineVersion,
)
from backend.contracts.projects import Code, CodeFile
from tests.unit.app import contract_objects
from tests.unit.app.ui_fixtures import shown_text

START = "launch_train.yaml_p1_start"
TEXT = "atp: 1\nmain:\n  process: []\n"
ERROR = PipelineProblem(
    code="E201", level="error", file="train.yaml", line=3, column=4, end_column=9, message="there is no '@x'"
)
STDERR = """Traceback (most recent call last):
ValueError: boom

train.yaml:3:5: ValueError: boom
     3 |   process: []
       |     ^^^
"""


@pytest.fixture
def pipeline(world):
    sha256 = world.put_object(TEXT.replace("\n", "\r\n").encode(), "text/plain")
    file = CodeFile(path="train.yaml", size_bytes=30, sha256=sha256)
    world.projects["p1"] = contract_objects.project(code=Code(sha256="c0" * 32, files=(file,)))
    world.pipelines["p1"].append(PipelineFile(path="train.yaml", size_bytes=30, sha256=sha256))
    epochs = Parameter(group="params", name="epochs", type="int", default=3, minimum=1, maximum=9)
    world.pipeline_answers = {
        "check": PipelineReport(
            state="done", level="syntax", parameters=(epochs,), stages=("main",), main_stage="main"
        ),
        "graph": PipelineGraph(dot='digraph "main" { "n0" }'),
        "help": PipelineHelp(state="done", text="a page of help"),
    }
    return world


def set_check(world, **fields):
    world.pipeline_answers["check"] = world.pipeline_answers["check"].model_copy(update=fields)


def type_text(page, text):
    page.session_state[pipeline_draft.EDITOR] = {"text": {"doc": "p1/train.yaml/0", "text": text}}
    return page.run()


def test_without_a_project_the_examples_are_offered(world, open_page):
    world.created["/pipelines/examples"] = contract_objects.project(id="p7")
    page = open_page("pipelines")
    assert not page.exception
    assert "There are no projects yet" in page.info[0].value
    page.button(key="pipeline_examples_first").click().run()
    assert json.loads(world.bodies("POST", "/pipelines/examples")[0]) == {"name": "Pipeline examples"}


def test_a_project_without_pipelines_says_what_to_do(world, open_page):
    world.projects["p1"] = contract_objects.project()
    page = open_page("pipelines", language="ru")
    assert not page.exception
    assert "нет пайплайнов" in page.info[0].value


def test_a_backend_that_is_away_is_a_box(silent_backend, open_page):
    page = open_page("pipelines")
    assert not page.exception
    assert page.warning


def test_a_refusal_is_a_box(pipeline, open_page):
    pipeline.objects.clear()
    page = open_page("pipelines", project="p1")
    assert not page.exception
    assert page.error


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_sound_file_has_its_state_its_graph_and_its_form(pipeline, open_page, language):
    page = open_page("pipelines", language=language, project="p1")
    assert not page.exception
    assert ("No errors in the text" if language == "en" else "ошибок нет") in shown_text(page)
    assert page.number_input(key="launch_train.yaml_p1_params_epochs").value == 3
    assert page.button(key="pipeline_save").disabled


def test_what_is_typed_is_checked_and_saved(pipeline, open_page):
    page = type_text(open_page("pipelines", project="p1"), TEXT + "# more\n")
    assert not page.exception
    sent = json.loads(pipeline.bodies("POST", "/projects/p1/pipelines/check")[-1])
    assert sent["text"] == TEXT + "# more\n"
    changed = pipeline.projects["p1"]
    pipeline.created["/projects/p1/code/train.yaml"] = changed
    page.button(key="pipeline_save").click().run()
    assert not page.exception
    assert pipeline.bodies("PUT", "/projects/p1/code/train.yaml") == [(TEXT + "# more\n").encode()]
    levels = [json.loads(body).get("level") for body in pipeline.bodies("POST", "/projects/p1/pipelines/check")]
    assert "static" in levels


def test_text_of_another_document_is_not_taken_over(pipeline, open_page):
    page = open_page("pipelines", project="p1")
    page.session_state[pipeline_draft.EDITOR] = {"text": {"doc": "p1/other.yaml/0", "text": "evil"}}
    page.run()
    assert b"evil" not in b"".join(pipeline.bodies("POST", "/projects/p1/pipelines/check"))


def test_errors_are_counted_and_nothing_is_started(pipeline, open_page):
    set_check(pipeline, problems=(ERROR,))
    page = open_page("pipelines", project="p1")
    assert "1 error" in shown_text(page)
    page.button(key=START).click().run()
    assert "mend what is marked" in page.error[0].value
    assert not pipeline.bodies("POST", "/runs")


def test_waiting_and_a_failed_check_are_said(pipeline, open_page):
    set_check(pipeline, state="waiting")
    assert "Checking imports" in shown_text(open_page("pipelines", project="p1"))
    set_check(pipeline, state="failed", fault=Reason(code="pipeline_check_slow"))
    assert "took too long" in open_page("pipelines", project="p1").error[0].value


def test_run_saves_what_is_seen_and_starts_it(pipeline, open_page):
    pipeline.created["/projects/p1/code/train.yaml"] = pipeline.projects["p1"]
    pipeline.created["/runs"] = contract_objects.run(id="r9", entry_file="train.yaml", state="queued")
    page = type_text(open_page("pipelines", project="p1"), TEXT + "# more\n")
    page.number_input(key="launch_train.yaml_p1_params_epochs").set_value(5)
    page.button(key=START).click().run()
    assert not page.exception
    assert pipeline.bodies("PUT", "/projects/p1/code/train.yaml")
    sent = json.loads(pipeline.bodies("POST", "/runs")[0])
    assert (sent["pipeline"], sent["params"]) == ("train.yaml", {"params": {"epochs": 5}})


def test_a_failed_run_leads_to_its_line(pipeline, open_page):
    pipeline.runs["r1"] = contract_objects.run(state="failed", entry_file="train.yaml", stderr_tail=STDERR)
    page = open_page("pipelines", project="p1")
    assert not page.exception
    assert "failed at line 3, column 5" in page.error[0].value
    assert "^^^" in page.code[0].value


def test_runs_of_scripts_are_not_shown(pipeline, open_page):
    pipeline.runs["r1"] = contract_objects.run(entry_file="train.py")
    assert "Training 1" not in shown_text(open_page("pipelines", project="p1"))


def test_an_older_version_comes_back_into_the_editor(pipeline, open_page):
    sha256 = pipeline.put_object(b"atp: 1\n# old\n", "text/plain")
    version = PipelineVersion(
        project_id="p1", path="train.yaml", number=1, sha256=sha256, size_bytes=9, created_at=contract_objects.NOW
    )
    pipeline.pipeline_versions["p1"].append(version)
    page = open_page("pipelines", project="p1")
    page.session_state["tab_bar_pipeline"] = "library"
    page.run()
    page.button(key="pipeline_restore_1").click().run()
    assert not page.exception
    assert b"# old" in pipeline.bodies("POST", "/projects/p1/pipelines/check")[-1]
    assert not page.button(key="pipeline_save").disabled


def test_help_is_shown_as_text(pipeline, open_page):
    page = open_page("pipelines", project="p1")
    page.session_state["tab_bar_pipeline"] = "help"
    page.run()
    assert not page.exception
    assert "a page of help" in [code.value for code in page.code]


def test_only_a_failed_run_has_a_place_of_failure():
    run = contract_objects.run(state="failed", stderr_tail=STDERR)
    assert pipeline_screen.failure_of(run).line == 3
    assert pipeline_screen.failure_of(run.model_copy(update={"state": "stopped"})) is None
    assert pipeline_screen.failure_of(run.model_copy(update={"stderr_tail": "killed"})) is None
    assert pipeline_screen.failure_of(None) is None


@pytest.fixture
def two_files(pipeline):
    sha256 = pipeline.put_object(TEXT.encode(), "text/plain")
    pipeline.pipelines["p1"].append(PipelineFile(path="parts/step.yaml", size_bytes=30, sha256=sha256))
    return pipeline


def placed(page):
    place = page.session_state["pipeline_place"]
    return place.path, place.line, place.column


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_run_that_failed_in_another_file_leads_there(two_files, open_page, language):
    stderr = STDERR.replace("train.yaml:3:5", "parts/step.yaml:3:5")
    two_files.runs["r1"] = contract_objects.run(state="failed", entry_file="train.yaml", stderr_tail=stderr)
    page = open_page("pipelines", language=language, project="p1", pipeline="train.yaml")
    assert "parts/step.yaml" in page.error[0].value
    page.button(key="pipeline_open_failure").click().run()
    assert not page.exception
    assert page.query_params["pipeline"] == "parts/step.yaml"
    assert placed(page) == ("parts/step.yaml", 3, 5)


def test_a_problem_of_another_file_leads_there(two_files, open_page):
    set_check(two_files, problems=(ERROR.model_copy(update={"file": "parts/step.yaml"}),))
    page = open_page("pipelines", project="p1", pipeline="train.yaml")
    page.button(key="pipeline_elsewhere_0").click().run()
    assert not page.exception
    assert page.query_params["pipeline"] == "parts/step.yaml"
    assert placed(page) == ("parts/step.yaml", 3, 4)


def test_a_place_in_a_file_that_is_no_pipeline_of_the_project_leads_nowhere(pipeline, open_page):
    set_check(pipeline, problems=(ERROR.model_copy(update={"file": "elsewhere.yaml"}),))
    page = open_page("pipelines", project="p1")
    page.button(key="pipeline_elsewhere_0").click().run()
    assert not page.exception
    assert "pipeline_place" not in page.session_state


def test_a_later_failure_matters_more_than_an_older_place(monkeypatch):
    state = {"pipeline_place": pipeline_place.Place("p1", "step.yaml", 4, 2)}
    monkeypatch.setattr(pipeline_place.st, "session_state", state)
    assert pipeline_place.jump("p1", "train.yaml", "") is None
    assert pipeline_place.jump("p1", "step.yaml", "")["line"] == 4
    assert pipeline_place.jump("p1", "step.yaml", "r9") is None


def test_a_pipeline_becomes_the_launch_file(pipeline, open_page):
    pipeline.created["/projects/p1"] = pipeline.projects["p1"]
    page = open_page("pipelines", project="p1")
    page.session_state["tab_bar_pipeline"] = "library"
    page.run()
    page.button(key="pipeline_make_launch_file").click().run()
    assert not page.exception
    assert json.loads(pipeline.bodies("PATCH", "/projects/p1")[0]) == {"train_file": "train.yaml"}
