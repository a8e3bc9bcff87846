"""Whatever goes wrong, the reply has one form."""

import pytest
from fastapi.testclient import TestClient

from backend.contracts.base import ErrorReply


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/no-such-thing", b"", 404, "no_such_address"),
        ("PUT", "/projects", b"", 405, "no_such_address"),
        ("POST", "/projects", b"{not json", 422, "request_invalid"),
        ("POST", "/projects", b'{"title": "x"}', 422, "request_invalid"),
        ("GET", "/projects/none", b"", 404, "project_not_found"),
    ],
)
def test_every_refusal_has_the_same_form(
    api: TestClient, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    reply = api.request(method, f"/api{path}", content=body, headers={"Content-Type": "application/json"})
    told = ErrorReply.model_validate_json(reply.content)
    assert (reply.status_code, told.code) == (status, code)
    assert told.message and told.message != f"error.{code}.message"
