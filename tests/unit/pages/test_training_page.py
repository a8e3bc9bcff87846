import json
from datetime import UTC, datetime, timedelta

import pytest

from app.components import error_box
from backend.contracts.base import ErrorReply, Problem, Reason
from backend.contracts.datasets import SplitCounts
from backend.contracts.parameters import Parameter, ParameterSchema
from backend.contracts.pipelines import PipelineReport
from backend.contracts.projects import Code, CodeFile
from backend.contracts.reports import Message
from backend.contracts.runs import RunCreate, RunLimits
from tests.unit.app import contract_objects
from tests.unit.app.ui_fixtures import shown_text

START = "launch_train_p1_start"
DAY = timedelta(days=1)


def run_box(page):
    """The box that chooses a run, with the label it shows."""
    box = next(one for one in page.selectbox if one.key.startswith("run_picker_"))
    box.value_label = box.options[box.index]
    return box


def add_project(world):
    world.datasets["d1"] = contract_objects.dataset()
    world.versions["d1"].append(contract_objects.version())
    world.projects["p1"] = contract_objects.project()


def test_without_a_project_the_page_says_how_to_get_one(world, open_page):
    page = open_page("training")
    assert not page.exception
    assert "There are no projects yet" in page.info[0].value


def test_start_sends_the_form_and_shows_the_new_run(world, open_page):
    add_project(world)
    started = contract_objects.run(id="r9", number=9, state="queued", progress=0, started_at=None)
    world.created["/runs"] = world.runs["r9"] = started
    page = open_page("training", project="p1")
    assert not page.exception
    page.number_input(key="launch_train_p1_basic params_epochs").set_value(7)
    page.selectbox(key="launch_train_p1_role_val_d1_en").set_value("test")
    page.number_input(key="launch_train_p1_seed").set_value(7)
    page.button(key=START).click().run()
    assert not page.exception
    sent = json.loads(world.bodies("POST", "/runs")[0])
    assert sent["params"]["basic params"] == {"epochs": 7, "lr": 0.001, "augment": True, "note": ""}
    assert sent["params"]["network"] == {"backbone": "lite0", "anchors": 9}
    assert sent["split_roles"] == {"val": "test"}
    assert sent["seed"] == 7
    assert (sent["dataset_id"], sent["device"], sent["kind"]) == ("d1", "cpu", "train")
    assert page.query_params["run"] in ("r9", ["r9"])
    assert "Training 9" in shown_text(page)


def test_a_pipeline_as_the_launch_file_brings_its_own_parameters(world, open_page):
    add_project(world)
    sha256 = world.put_object(b"atp: 1\n", "text/plain")
    code = Code(sha256="c0" * 32, files=(CodeFile(path="train.yaml", size_bytes=7, sha256=sha256),))
    world.projects["p1"] = contract_objects.project(code=code, train_file="train.yaml")
    epochs = Parameter(group="params", name="epochs", type="int", default=3, minimum=1, maximum=9)
    world.pipeline_answers["check"] = PipelineReport(state="done", level="syntax", parameters=(epochs,))
    world.created["/runs"] = world.runs["r9"] = contract_objects.run(id="r9")
    page = open_page("training", project="p1")
    assert not page.exception
    page.number_input(key="launch_train_p1_params_epochs").set_value(5)
    page.button(key=START).click().run()
    sent = json.loads(world.bodies("POST", "/runs")[0])
    assert sent["params"] == {"params": {"epochs": 5}}
    assert not sent.get("pipeline")


def test_without_a_seed_none_is_sent(world, open_page):
    add_project(world)
    world.created["/runs"] = world.runs["r9"] = contract_objects.run(id="r9")
    open_page("training", project="p1").button(key=START).click().run()
    assert json.loads(world.bodies("POST", "/runs")[0]).get("seed") is None


def test_untouched_options_send_what_happens_without_them(world, open_page):
    add_project(world)
    world.created["/runs"] = world.runs["r9"] = contract_objects.run(id="r9")
    open_page("training", project="p1").button(key=START).click().run()
    sent = RunCreate.model_validate_json(world.bodies("POST", "/runs")[0])
    untouched = RunCreate(project_id="p1", kind="train")
    for name in ("seed", "retries", "priority", "labels", "processes", "limits"):
        assert getattr(sent, name) == getattr(untouched, name), name


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_language_of_the_page_is_sent(world, open_page, language):
    add_project(world)
    world.created["/runs"] = world.runs["r9"] = contract_objects.run(id="r9")
    open_page("training", language=language, project="p1").button(key=START).click().run()
    assert RunCreate.model_validate_json(world.bodies("POST", "/runs")[0]).language == language


@pytest.mark.parametrize(("language", "shown"), [("en", ["passes", "шаг", "any"]), ("ru", ["проходы", "шаг", "any"])])
def test_descriptions_are_in_the_language_of_the_page(world, open_page, language, shown):
    add_project(world)
    texts = ({"en": "passes", "ru": "проходы"}, {"ru": "шаг"}, "any")
    declared = tuple(
        Parameter(name=name, type="int", default=1, description=text) for name, text in zip("abc", texts, strict=True)
    )
    world.projects["p1"] = contract_objects.project(parameters=ParameterSchema(train=declared))
    page = open_page("training", language=language, project="p1")
    fields = [page.number_input(key=f"launch_train_p1_basic params_{name}") for name in "abc"]
    assert [field.help for field in fields] == shown


def test_processes_limits_and_restarts_are_sent(world, open_page):
    add_project(world)
    world.created["/runs"] = world.runs["r9"] = contract_objects.run(id="r9")
    page = open_page("training", project="p1")
    for name, value in {"processes": 4, "retries": 2, "time_limit": 90, "memory_limit": 1.5, "threads": 3}.items():
        page.number_input(key=f"launch_train_p1_{name}").set_value(value)
    page.button(key=START).click().run()
    assert not page.exception
    sent = RunCreate.model_validate_json(world.bodies("POST", "/runs")[0])
    assert (sent.processes, sent.retries) == (4, 2)
    assert sent.limits == RunLimits(time_s=5400, memory_mb=1536, threads=3)


def test_limits_and_processes_stand_in_the_details(world, open_page):
    add_project(world)
    limits = RunLimits(time_s=5400, memory_mb=1536, threads=3)
    world.runs["r1"] = contract_objects.run(processes=4, retries=2, limits=limits, language="ru")
    page = open_page("training", run="r1")
    page.session_state["tab_bar_run_train"] = "details"
    page.run()
    assert not page.exception
    tables = [table.value for table in page.dataframe if "Name" in table.value]
    facts = {row["Name"]: row["Value"] for table in tables for row in table.to_dict("records")}
    assert facts["Time limit"] == "1 h 30 min"
    assert (facts["Memory limit"], facts["CPU threads"], facts["Restarts left"]) == ("1536 MB", "3", "2")
    assert (facts["Processes (torchrun)"], facts["Language of messages"]) == ("4", "Russian")


def test_retry_leads_to_the_new_run(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run(state="failed")
    again = contract_objects.run(id="r2", number=2, retry_of="r1", state="queued", started_at=None, finished_at=None)
    world.created["/runs/r1/retry"] = world.runs["r2"] = again
    page = open_page("training", run="r1")
    page.button(key="retry_r1").click().run()
    assert not page.exception
    assert page.query_params["run"] in ("r2", ["r2"])
    assert "Training 2" in shown_text(page)


def test_a_chain_of_repetitions_is_linked_both_ways(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run(id="r1", number=1, retried_as="r2", state="failed")
    world.runs["r2"] = contract_objects.run(
        id="r2", number=2, retry_of="r1", retried_as="r3", state="failed", retries=1
    )
    world.runs["r3"] = contract_objects.run(id="r3", number=3, retry_of="r2")
    labels = [link.proto.label for link in open_page("training", run="r2").get("page_link")]
    assert {"repeats run No. 1", "repeated as No. 3"} <= set(labels)


def test_a_run_that_will_be_repeated_by_itself_says_so(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run(state="failed", retries=2)
    assert "about to start it again; 2 attempts left" in shown_text(open_page("training", run="r1"))


def test_a_silent_worker_is_told_before_the_run_is_lost(world, open_page):
    add_project(world)
    silent = datetime.now(UTC) - timedelta(seconds=20)
    world.runs["r1"] = contract_objects.run(state="running", finished_at=None, heartbeat_at=silent)
    assert "No word from worker w1" in shown_text(open_page("training", run="r1"))
    world.runs["r1"] = contract_objects.run(state="running", finished_at=None, heartbeat_at=datetime.now(UTC))
    assert "No word" not in shown_text(open_page("training", run="r1"))


def test_one_process_of_several_can_be_read_alone(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run(processes=2)
    world.logs["r1", "stdout"] = "[rank 0] first\n[rank 1] second\n"
    page = open_page("training", run="r1")
    page.session_state["tab_bar_run_train"] = "log"
    page.run()
    assert page.code[0].value == "[rank 0] first\n[rank 1] second"
    page.session_state["log_rank_r1"] = 1
    page.run()
    assert page.code[0].value == "second"


def test_of_a_long_log_only_the_end_is_asked_for(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run()
    world.logs["r1", "stdout"] = "line of the log\n" * 200_000
    page = open_page("training", run="r1")
    page.session_state["tab_bar_run_train"] = "log"
    page.run()
    assert "The last 60 kB of 3.2 MB are shown." in shown_text(page)
    assert [query for _, path, query, _ in world.requests if path.endswith("/stdout")][-1] == {"tail_bytes": "262144"}


def test_the_label_of_a_run_follows_its_state(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run(state="running", started_at=None)
    page = open_page("training", run="r1")
    assert "in progress" in run_box(page).value_label
    world.runs["r1"] = contract_objects.run(state="finished")
    assert "finished" in run_box(page.run()).value_label


def test_a_queued_run_says_what_it_waits_for_and_leads_to_the_queue(world, open_page):
    add_project(world)
    busy = Reason(code="waits_busy", params={"device": "cpu", "runs": "1", "ahead": 1})
    world.runs["r3"] = contract_objects.queued(2, busy, id="r3", waits_for=busy).run
    page = open_page("training", run="r3")
    assert "cpu is busy with runs 1; 1 ahead in the queue." in shown_text(page)
    assert "To the queue" in [link.proto.label for link in page.get("page_link")]


def test_a_failed_run_is_not_offered_for_testing(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run(state="failed")
    page = open_page("training", run="r1")
    assert "Test these weights" not in [link.proto.label for link in page.get("page_link")]


def test_two_projects_of_one_name_can_be_told_apart(world, open_page):
    world.projects["p1"] = contract_objects.project()
    world.projects["p2"] = contract_objects.project(id="p2", created_at=contract_objects.project().created_at + DAY)
    labels = open_page("training", project="p1").selectbox(key="project_picker_p1").options
    assert len(set(labels)) == 2


def test_a_refused_start_shows_each_located_problem(world, open_page):
    add_project(world)
    problem = Problem(code="nobody_knows_this_code", params={"name": "epochs"}, file="params.yaml", line=4)
    reply = ErrorReply(code="params_invalid_xyz", message="2 values are out of range", problems=(problem,))
    world.failures["POST", "/runs"] = (422, reply)
    page = open_page("training", project="p1")
    page.button(key=START).click().run()
    assert not page.exception
    assert "2 values are out of range" in page.error[0].value
    row = page.dataframe[0].value.iloc[0]
    assert (row["File"], row["Line"]) == ("params.yaml", 4)


def test_a_failed_run_shows_its_reason_and_the_last_lines_of_stderr_first(world, open_page):
    add_project(world)
    world.runs["r2"] = contract_objects.run(
        id="r2", state="failed", reason=Reason(code="x_y", params={"n": 1}), stderr_tail="Traceback\nValueError: boom"
    )
    page = open_page("training", run="r2")
    assert not page.exception
    assert page.error
    assert "ValueError: boom" in page.code[0].value


def test_messages_are_shown_as_text_and_never_as_html(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run(message_counts={"info": 1})
    world.messages["r1"].append(Message(time=0, level="info", text="<img src=x onerror=alert(1)>"))
    page = open_page("training", run="r1")
    page.session_state["tab_bar_run_train"] = "messages"
    page.run()
    assert not page.exception
    html = "".join(element.proto.body for element in page.get("html"))
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img" not in html


def test_a_run_that_does_not_exist_is_an_error_box_not_another_run(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run()
    page = open_page("training", run="gone")
    assert not page.exception
    assert page.error
    assert "Training 1" not in shown_text(page)


def test_what_cannot_be_an_id_is_never_sent(world, open_page):
    add_project(world)
    page = open_page("training", run="../../datasets/d1")
    assert page.error[0].value.startswith("The address names something")
    assert not [path for _, path, _, _ in world.requests if "datasets/d1" in path]


def test_a_project_without_a_launch_file_says_so(world, open_page):
    world.projects["p1"] = contract_objects.project(train_file="")
    world.datasets["d1"] = contract_objects.dataset(splits={"train": SplitCounts(images=1, boxes=1)})
    page = open_page("training", project="p1")
    assert not page.exception
    assert "no training launch file" in page.info[0].value


def test_a_silent_backend_shows_a_box_that_tries_again(silent_backend, open_page):
    page = open_page("training", language="ru")
    assert not page.exception
    assert "не отвечает" in page.warning[0].value


def test_deleting_an_ended_run_asks_first(world, open_page):
    add_project(world)
    world.runs["r1"] = contract_objects.run()
    page = open_page("training", language="en", run="r1")
    page.button(key="delete_run").click().run()
    assert not world.bodies("POST", "/runs/delete")
    assert any("deleted for good" in element.value for element in page.markdown)
    assert page.button(key="delete_runs_dialog_agree")


def test_a_run_that_goes_on_has_no_delete_button(world, open_page):
    add_project(world)
    world.runs = {"r1": contract_objects.run(state="running", finished_at=None)}
    page = open_page("training", run="r1")
    assert not page.exception
    assert "delete_run" not in [button.key for button in page.button]


def test_a_page_waits_for_the_backend_but_not_without_end(world, open_page, monkeypatch):
    """A backend that says that it is well and still refuses is told to the reader, after three attempts."""
    monkeypatch.setattr(error_box, "HOLD_CHECK_EVERY_S", 0)
    add_project(world)
    world.runs["r1"] = contract_objects.run()
    page = open_page("training", run="r1")
    world.failures["GET", "/runs"] = (503, ErrorReply(code="storage_failed", message="the bucket is away"))
    asked = len(world.requests)
    page.run()
    assert not page.exception
    assert len(page.warning) == 1
    assert len([path for _, path, _, _ in world.requests[asked:] if path == "/runs"]) == 1 + error_box.MOST_HOLDS
    world.failures.clear()
    page.run()
    assert not page.warning and "Training 1" in shown_text(page)


def test_a_start_whose_answer_is_lost_says_to_look_and_repeat(world, open_page, monkeypatch):
    monkeypatch.setattr(error_box, "HOLD_CHECK_EVERY_S", 0)
    add_project(world)
    world.failures["POST", "/runs"] = (503, ErrorReply(code="store_unavailable", message="m"))
    page = open_page("training", project="p1")
    page.button(key=START).click().run()
    assert not page.exception
    assert "See whether it was carried out" in page.toast[0].value
