import json

from backend.contracts.base import ErrorReply, Reason
from backend.contracts.workers import DiskUse
from tests.unit.app import contract_objects
from tests.unit.app.ui_fixtures import shown_text

BUSY = Reason(code="waits_busy", params={"device": "cuda:0", "runs": "1", "ahead": 0})


def fill(world):
    world.workers = [contract_objects.worker()]
    world.queue = [
        contract_objects.queued(1, BUSY, id="r2", number=2, device="cuda:0", priority=5),
        contract_objects.queued(2, BUSY, id="r3", number=3, device="cuda:0", labels=("gpu",)),
        contract_objects.queued(3, BUSY, id="r4", number=4, device="cuda:0"),
    ]


def sent(world, method, path):
    return [json.loads(body) for body in world.bodies(method, path)]


def test_an_empty_workstation_says_how_to_get_a_worker(world, open_page):
    page = open_page("queue", language="en")
    assert not page.exception
    assert "No worker is running" in page.info[0].value
    assert "Nothing waits" in shown_text(page)


def test_workers_their_slots_and_the_queue_are_shown_in_both_languages(world, open_page):
    fill(world)
    for language, words in {
        "en": ("connected", "0 of 2 in use", "1 of 1 in use", "cuda:0 is busy with runs 1", "Queue: 3 runs"),
        "ru": ("на связи", "занято 0 из 2", "занято 1 из 1", "занято, на нём запуски: 1", "Очередь: 3 запуска"),
    }.items():
        page = open_page("queue", language=language)
        assert not page.exception
        text = shown_text(page).replace("\\", "")
        assert [word for word in words if word not in text] == []


def test_buttons_ask_for_another_order(world, open_page):
    fill(world)
    page = open_page("queue")
    assert page.button(key="up_r2").disabled and page.button(key="down_r4").disabled
    page.button(key="up_r3").click().run()
    page.button(key="down_r2").click().run()
    page.number_input(key="priority_r4_0").set_value(50)
    page.button(key="priority_r4_0_set").click().run()
    assert not page.exception
    assert sent(world, "POST", "/runs/r3/move") == [{"before": "r2"}]
    assert sent(world, "POST", "/runs/r2/move") == [{"after": "r3"}]
    assert sent(world, "PATCH", "/runs/r4/priority") == [{"priority": 50}]


def test_a_worker_is_drained_taken_back_and_removed_when_it_is_away(world, open_page):
    world.workers = [
        contract_objects.worker(name="a"),
        contract_objects.worker(name="b", is_draining=True),
        contract_objects.worker(name="c", is_alive=False, runs=(), used={}),
    ]
    page = open_page("queue")
    for key in ("drain_a", "undrain_b", "remove_c"):
        page.button(key=key).click().run()
        assert not page.exception
    asked = [(method, path) for method, path, _, _ in world.requests if path.startswith("/workers/")]
    assert asked == [("POST", "/workers/a/drain"), ("POST", "/workers/b/undrain"), ("DELETE", "/workers/c")]


def test_what_the_backend_refuses_is_shown(world, open_page):
    fill(world)
    world.failures["POST", "/runs/r3/move"] = (
        409,
        ErrorReply(code="run_not_queued", params={"run": 3, "state": "running"}, message=""),
    )
    page = open_page("queue", language="en")
    page.button(key="up_r3").click().run()
    assert not page.exception
    assert "Run 3 is not in the queue" in page.error[0].value


def test_a_silent_backend_shows_a_box_that_tries_again(silent_backend, open_page):
    page = open_page("queue", language="ru")
    assert not page.exception
    assert "не отвечает" in page.warning[0].value


def disk(**fields):
    known = {"total_bytes": 2e12, "free_bytes": 9e11, "run_folder_count": 3, "run_folders_bytes": 12e9}
    cache = {"cache_bytes": 4e10, "cache_limit_bytes": 5e10, "keep_days": 30}
    return DiskUse(**{**known, **cache, **fields})


def test_disk_of_a_worker_is_shown_and_a_full_one_is_warned_of(world, open_page):
    world.workers = [contract_objects.worker(disk=disk())]
    page = open_page("queue", language="ru")
    assert not page.exception and not page.warning
    assert "свободно 900 ГБ из 2000 ГБ · 3 папки запусков: 12 ГБ · кэш снимков: 40 ГБ из 50 ГБ" in shown_text(page)
    world.workers = [contract_objects.worker(disk=disk(free_bytes=3e9), is_disk_low=True)]
    page = open_page("queue", language="en")
    assert "Little disk space is left on this worker: 3 GB" in page.warning[0].value


def test_ended_runs_are_listed_below_the_queue(world, open_page):
    assert "No run has ended yet" in shown_text(open_page("queue"))
    world.runs = {f"r{n}": contract_objects.run(id=f"r{n}", number=n, state="failed") for n in (1, 2)}
    world.runs["r3"] = contract_objects.run(id="r3", number=3, state="running", finished_at=None)
    page = open_page("queue")
    assert not page.exception
    assert list(page.dataframe[0].value["number"]) == [1, 2]
    assert page.button(key="ended_runs_delete").disabled and page.button(key="ended_runs_open").disabled
