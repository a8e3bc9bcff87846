"""The uploader's routes over real sockets: passed on with the token, refused for whoever is not our own page."""

import pytest

from tests.unit.app.test_server import browser  # noqa: F401  (a fixture)

OWN = {"X-Arm-Upload": "1"}
REPLY = {"id": "u1", "purpose": "dataset", "size_bytes": 9, "received_bytes": 0, "chunk_bytes": 4}


def test_a_chunk_and_an_import_are_passed_on(world, browser):  # noqa: F811
    world.created.update(
        {"/uploads": REPLY, "/uploads/u1": REPLY, "/datasets/import": REPLY, "/projects/p1/code": REPLY}
    )
    assert browser.post("/upload?purpose=dataset&size_bytes=9", headers=OWN).json() == REPLY
    assert browser.put("/upload/u1?offset=4", content=b"1234", headers=OWN).json() == REPLY
    assert browser.post("/upload/u1/dataset?name=Швы", headers=OWN).json() == REPLY
    assert browser.post("/upload/u1/code/p1", headers=OWN).json() == REPLY
    assert [(method, path, query, body) for method, path, query, body in world.requests] == [
        ("POST", "/uploads", {}, b'{"purpose":"dataset","size_bytes":"9"}'),
        ("PUT", "/uploads/u1", {"offset": "4"}, b"1234"),
        ("POST", "/datasets/import", {"name": "Швы", "upload": "u1"}, b""),
        ("PUT", "/projects/p1/code", {"upload": "u1"}, b""),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        OWN | {"Origin": "http://evil.example"},
        OWN | {"Origin": "null"},
        OWN | {"Sec-Fetch-Site": "cross-site"},
        OWN | {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_can_not_upload(world, browser, headers):  # noqa: F811
    for method, path in (("POST", "/upload"), ("PUT", "/upload/u1?offset=0"), ("POST", "/upload/u1/dataset?name=n")):
        reply = browser.request(method, path, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (403, "upload_not_from_page")
    assert world.requests == []


def test_what_the_backend_refuses_keeps_its_status_and_words(world, browser):  # noqa: F811
    reply = browser.get("/upload/u1", headers=OWN)
    assert (reply.status_code, reply.json()["code"]) == (404, "upload_not_found")


def test_odd_ids_and_huge_chunks_never_reach_the_backend(world, browser):  # noqa: F811
    assert browser.get("/upload/a%2e%2e", headers=OWN).status_code == 404
    assert browser.put("/upload/u1?offset=0", content=bytes((16 << 20) + 1), headers=OWN).status_code == 413
    assert world.requests == []
