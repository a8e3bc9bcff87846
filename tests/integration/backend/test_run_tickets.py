"""Tickets: the secret that may be seen on its way to an agent is good for one exchange, and a theft ends the run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from backend.contracts.workers import ClaimRequest, Device, RunFinished, TicketRequest
from backend.wiring import Connections, Services
from tests.integration.uploads import zip_of

TOKENS = tuple(letter * 40 for letter in "abcdefgh")


@pytest.fixture
def claimed(api: TestClient, services: Services) -> Callable[[], str]:
    project = api.post("/api/projects", json={"name": "P"}).json()["id"]
    api.put(f"/api/projects/{project}/code", content=zip_of({"train.py": b"pass"}))
    cpu = Device(name="cpu", title="CPU", worker="ray", slots=100)
    request = ClaimRequest(worker="ray", devices=(cpu,), labels=("ray",))
    services.run.workers.renew(request)

    def claim() -> str:
        run = api.post("/api/runs", json={"project_id": project, "kind": "train", "labels": ["ray"]}).json()["id"]
        found = services.run.workers.claim(request)
        assert found and found.run_id == run
        return str(run)

    return claim


def opened(services: Services, run: str) -> str:
    return services.run.tickets.open(TicketRequest(worker="ray", run_id=run)).ticket


def use(api: TestClient, run: str, ticket: str, token: str) -> int:
    answer = api.post(
        f"/api/agent/runs/{run}/token", json={"token": token}, headers={"Authorization": f"Bearer {ticket}"}
    )
    return answer.status_code


def opens(api: TestClient, run: str, token: str) -> bool:
    answer = api.get(f"/api/agent/runs/{run}/spec", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 403)
    return answer.status_code == 200


def test_a_ticket_opens_nothing_until_it_is_exchanged(
    claimed: Callable[[], str], api: TestClient, services: Services, connections: Connections
) -> None:
    run = claimed()
    ticket = opened(services, run)
    assert not opens(api, run, ticket)
    assert use(api, run, ticket, TOKENS[0]) == 204
    assert opens(api, run, TOKENS[0]) and not opens(api, run, ticket)
    document = connections.database["runs"].find_one({"_id": run})
    assert ticket not in str(document) and TOKENS[0] not in str(document)


def test_an_exchange_whose_answer_got_lost_may_be_repeated(
    claimed: Callable[[], str], api: TestClient, services: Services
) -> None:
    run = claimed()
    ticket = opened(services, run)
    assert [use(api, run, ticket, TOKENS[0]) for _ in range(3)] == [204, 204, 204]
    assert opens(api, run, TOKENS[0]) and services.run.runs.get(run).state == "starting"


def test_a_second_use_is_refused_and_ends_the_run(
    claimed: Callable[[], str], api: TestClient, services: Services
) -> None:
    run = claimed()
    ticket = opened(services, run)
    assert (use(api, run, ticket, TOKENS[0]), use(api, run, ticket, TOKENS[1])) == (204, 403)
    ended = services.run.runs.get(run)
    assert ended.reason and (ended.state, ended.reason.code) == ("failed", "ticket_used_twice")
    assert not opens(api, run, TOKENS[0]) and not opens(api, run, TOKENS[1])
    (message,) = api.get(f"/api/runs/{run}/messages").json()
    assert message["reason"]["code"] == "ticket_used_twice" and message["level"] == "error"
    assert use(api, run, ticket, TOKENS[2]) == 403


def test_of_many_that_use_it_at_once_none_keeps_the_run(
    claimed: Callable[[], str], api: TestClient, services: Services
) -> None:
    run = claimed()
    ticket = opened(services, run)
    with ThreadPoolExecutor(len(TOKENS)) as pool:
        answers = list(pool.map(lambda token: use(api, run, ticket, token), TOKENS))
    assert answers.count(204) <= 1 and set(answers) <= {204, 403}
    assert services.run.runs.get(run).state == "failed"
    assert not any(opens(api, run, token) for token in TOKENS)


def test_only_the_newest_ticket_is_good_and_an_unknown_one_harms_nobody(
    claimed: Callable[[], str], api: TestClient, services: Services
) -> None:
    run = claimed()
    old, new = opened(services, run), opened(services, run)
    assert use(api, run, old, TOKENS[0]) == 403
    assert use(api, run, "made-up", TOKENS[0]) == 403
    assert use(api, run, "", TOKENS[0]) == 403
    assert use(api, run, new, TOKENS[1]) == 204
    assert opens(api, run, TOKENS[1])


def test_a_short_token_is_not_taken(claimed: Callable[[], str], api: TestClient, services: Services) -> None:
    run = claimed()
    ticket = opened(services, run)
    assert use(api, run, ticket, "short") == 422
    assert use(api, run, ticket, TOKENS[0]) == 204


def test_the_lease_of_a_waiting_run_is_renewed_until_its_agent_begins(
    claimed: Callable[[], str], api: TestClient, services: Services
) -> None:
    run = claimed()
    body = {"worker": "ray", "run_id": run}
    ticket = api.post("/api/workers/ticket", json=body).json()["ticket"]
    before = services.run.runs.get(run).heartbeat_at
    assert api.post("/api/workers/waiting", json=body).json()["is_stop_requested"] is False
    after = services.run.runs.get(run).heartbeat_at
    assert before and after and after > before
    assert [found["id"] for found in api.get("/api/workers/ray/runs").json()][-1] == run
    api.post(f"/api/runs/{run}/stop")
    assert api.post("/api/workers/waiting", json=body).json()["is_stop_requested"] is True
    for what in ("ticket", "waiting"):
        other = api.post(f"/api/workers/{what}", json=body | {"worker": "another"})
        assert (other.status_code, other.json()["code"]) == (409, "run_has_agent")
    assert use(api, run, ticket, TOKENS[0]) == 204
    for what in ("ticket", "waiting"):
        late = api.post(f"/api/workers/{what}", json=body)
        assert (late.status_code, late.json()["code"]) == (409, "run_has_agent")


def test_whoever_adopts_a_run_makes_its_ticket_void(
    claimed: Callable[[], str], api: TestClient, services: Services
) -> None:
    run = claimed()
    ticket = opened(services, run)
    token = api.post("/api/workers/adopt", json={"worker": "ray", "run_id": run}).json()["token"]
    assert use(api, run, ticket, TOKENS[0]) == 403
    assert opens(api, run, token)


def test_a_ticket_of_a_final_run_is_refused(claimed: Callable[[], str], api: TestClient, services: Services) -> None:
    run = claimed()
    ticket = opened(services, run)
    services.run.agents.finished(
        run, RunFinished.model_validate({"state": "failed", "reason": {"code": "start_failed"}})
    )
    assert use(api, run, ticket, TOKENS[0]) == 403


def test_tickets_are_opened_by_the_installation_only(claimed: Callable[[], str], api: TestClient) -> None:
    body = {"worker": "ray", "run_id": claimed()}
    for path in ("/api/workers/ticket", "/api/workers/waiting"):
        assert api.post(path, json=body, headers={"Authorization": "Bearer wrong"}).status_code == 403
