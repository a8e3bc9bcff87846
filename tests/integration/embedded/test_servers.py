"""The embedded servers are real: data survives a stop and a kill -9, nobody gets in without the password."""

import os
import signal
import stat
from pathlib import Path

import pymongo
import pytest
import redis
from pymongo.errors import OperationFailure

from backend.domain.errors import UnavailableError
from backend.embedded import binaries
from backend.embedded.servers import Servers, start_servers


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def count_after_insert(servers: Servers) -> int:
    with pymongo.MongoClient(servers.mongo_url, w="majority", journal=True) as client:
        client.arm.kept.insert_one({})
        return client.arm.kept.count_documents({})


def test_data_is_found_again_after_a_stop(home: Path) -> None:
    for expected in (1, 2):
        servers = start_servers(home)
        try:
            assert count_after_insert(servers) == expected
            with redis.Redis.from_url(servers.redis_url) as client:
                assert client.incr("kept") == expected
        finally:
            servers.stop()


def test_a_killed_server_comes_back_on_the_same_address_with_its_data(home: Path) -> None:
    servers = start_servers(home)
    try:
        assert count_after_insert(servers) == 1
        for server in servers.started:
            os.kill(server._process.pid, signal.SIGKILL)
            server._process._process.wait()
            assert server.exit_code() == -signal.SIGKILL
            server.start()
        assert count_after_insert(servers) == 2
    finally:
        servers.stop()


def test_nobody_gets_in_without_the_password(home: Path) -> None:
    servers = start_servers(home)
    try:
        address = servers.mongo_url.split("@")[1].split("/")[0]
        with pymongo.MongoClient(f"mongodb://{address}") as client, pytest.raises(OperationFailure, match="auth"):
            client.arm.kept.find_one()
        host, port = servers.redis_url.split("@")[1].split("/")[0].split(":")
        with redis.Redis(host, int(port)) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
    finally:
        servers.stop()


def test_secrets_are_readable_by_their_owner_only(home: Path) -> None:
    start_servers(home).stop()
    for path in (home / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_given_servers_are_used_and_left_running(home: Path) -> None:
    own = start_servers(home)
    try:
        given = start_servers(home / "other", mongo_url=own.mongo_url, redis_url=own.redis_url)
        assert given.started == ()
        given.stop()
        assert count_after_insert(own) == 1
    finally:
        own.stop()


def test_missing_mongod_says_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "mongod"
    broken.write_text("#!/bin/sh\necho 'libcrypto.so.3: cannot open shared object file' >&2; exit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "MONGO_WHEEL", "no-such-distribution")
    with pytest.raises(UnavailableError) as caught:
        binaries.find_mongod()
    assert caught.value.code == "mongod_missing"
    assert "libcrypto.so.3" in caught.value.params["tried"]


def test_unusable_data_folder_names_the_log(home: Path) -> None:
    version = binaries.find_mongod().version.rpartition(".")[0]
    database_dir = home / "data" / f"mongo-{version}"
    database_dir.mkdir(parents=True)
    (database_dir / "storage.bson").write_text("not a database")
    with pytest.raises(UnavailableError) as caught:
        start_servers(home)
    assert caught.value.code == "mongod_did_not_start"
    assert "mongod.log" in caught.value.params["log"]
