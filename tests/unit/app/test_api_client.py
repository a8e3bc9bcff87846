"""The client meets a real server: what it sends, and how answers become contracts and errors."""

import io

import httpx
import pytest

from app.api_client import Api, api
from app.api_requests import ApiError, ApiUnavailableError
from backend.contracts.base import ErrorReply, Problem
from backend.contracts.datasets import DatasetVersionCreate
from backend.contracts.reports import PointsReply
from tests.unit.app import contract_objects


def test_lists_and_single_things_become_contracts(world):
    world.projects["p1"] = contract_objects.project()
    assert api().projects() == [contract_objects.project()]
    assert api().project("p1") == contract_objects.project()


def test_an_error_keeps_code_params_and_problems(world):
    problem = Problem(code="label_class", params={"name": 9}, file="labels/a.txt", line=2)
    reply = ErrorReply(code="archive_bad", params={"count": 1}, message="m", hint="h", problems=(problem,))
    world.failures["POST", "/datasets/import"] = (422, reply)
    with pytest.raises(ApiError) as caught:
        api().import_dataset("x", io.BytesIO(b"zip"))
    error = caught.value
    assert (error.code, error.params, error.problems, error.status) == ("archive_bad", {"count": 1}, (problem,), 422)
    assert not isinstance(error, ApiUnavailableError)


def test_a_store_that_does_not_answer_is_worth_a_retry(world):
    world.failures["GET", "/runs"] = (503, ErrorReply(code="store_unavailable", message="m"))
    with pytest.raises(ApiUnavailableError):
        api().runs()


def test_no_backend_at_all_is_unavailable(silent_backend):
    with pytest.raises(ApiUnavailableError) as caught:
        api().runs()
    assert caught.value.code == "api_unavailable"
    assert caught.value.params["url"] == "http://127.0.0.1:9/api"


@pytest.mark.parametrize("body", [b"<html>", b'{"id": 1}'])
def test_an_answer_that_is_no_contract_is_an_error_not_a_crash(body):
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    with httpx.Client(transport=transport, base_url="http://x/api") as client, pytest.raises(ApiError) as caught:
        Api(client).project("p1")
    assert caught.value.code == "api_unexpected_reply"


def test_a_gateway_page_instead_of_an_error_reply_is_unavailable():
    transport = httpx.MockTransport(lambda request: httpx.Response(502, content=b"<html>Bad gateway"))
    with httpx.Client(transport=transport, base_url="http://x/api") as client, pytest.raises(ApiUnavailableError):
        Api(client).runs()


def test_an_id_cannot_reach_another_resource(world):
    with pytest.raises(ApiError) as caught:
        api().run("../datasets/d1")
    assert caught.value.status == 404
    assert all(not path.startswith("/datasets") for _, path, _, _ in world.requests)


def test_an_upload_is_sent_whole_even_after_the_file_was_read(world):
    world.created["/projects/p1/code"] = contract_objects.project()
    archive = io.BytesIO(b"z" * 3_000_000)
    archive.read()
    api().upload_code("p1", archive)
    assert world.bodies("PUT", "/projects/p1/code") == [b"z" * 3_000_000]


def test_absent_filters_are_not_sent(world):
    api().runs(kind="test")
    assert world.requests[-1][2] == {"kind": "test", "limit": "50"}


def test_points_that_did_not_change_are_none(world):
    world.points["r1"] = PointsReply(version=4, series=(contract_objects.series("loss", [1.0, None]),))
    assert api().points("r1").series[0].values == (1.0, None)
    assert api().points("r1", version=4) is None


def test_fields_left_out_are_not_sent(world):
    world.created["/datasets/d1/versions"] = contract_objects.version()
    api().create_version("d1", DatasetVersionCreate())
    assert world.bodies("POST", "/datasets/d1/versions") == [b"{}"]
