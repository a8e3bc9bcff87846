"""MongoAPI, RedisAPI and StorageAPI of a script that runs without the workstation."""

import io
import os
import subprocess
import sys
import threading
import time

import pytest

from PlatformAPI import MongoAPI, RedisAPI, StorageAPI, StoreAwayError, StoreError, WrongArgumentError

pytestmark = pytest.mark.usefixtures("run_dir")
PARALLEL = """
import os
import PlatformAPI
redis, mongo = PlatformAPI.RedisAPI(), PlatformAPI.MongoAPI()
for _ in range(3):
    if os.fork() == 0:
        for _ in range(30):
            redis.incr("n")
            mongo.update_one("c", {"_id": "a"}, {"$inc": {"n": 1}}, upsert=True)
        os._exit(0)
for _ in range(3):
    assert os.wait()[1] == 0
print(redis.get("n"), mongo.find_one("c"))
"""


def test_data_outlives_the_script_and_counts_are_exact_across_processes(script, tmp_path):
    assert script(PARALLEL).stdout.splitlines()[-1] == "90 {'_id': 'a', 'n': 90}"
    again = script("import PlatformAPI\nprint(PlatformAPI.RedisAPI().incr('n'))")
    assert again.stdout.splitlines()[-1] == "91"
    assert (tmp_path / "solution/arm-run/project/keys.sqlite3").is_file()


def test_documents():
    mongo = MongoAPI()
    ids = mongo.insert_many("epochs", [{"n": n} for n in range(1203)])
    assert len(set(ids)) == 1203 and all(isinstance(name, str) for name in ids)
    assert [d["n"] for d in mongo.find("epochs", {"n": {"$lt": 700}}, sort=[("n", -1)])] == list(range(699, -1, -1))
    assert [d["n"] for d in mongo.find("epochs", sort=[("n", 1)], limit=3)] == [0, 1, 2]
    assert len(list(mongo.find("epochs", {"n": {"$gte": 100}}))) == 1103
    assert len(list(mongo.find("epochs", limit=777))) == 777
    large = [{"t": "x" * 900_000} for _ in range(12)]
    assert len(mongo.insert_many("large", large)) == 12 and mongo.delete_many("large", {}) == 12
    assert mongo.update_many("epochs", {"n": {"$gte": 1200}}, {"$set": {"late": True}}) == 3
    assert mongo.count_documents("epochs", {"late": True}) == 3
    assert mongo.delete_one("epochs", {"late": True}) == 1
    assert mongo.find_one("epochs", {"n": -1}) is None
    assert mongo.replace_one("best", {"_id": "a"}, {"v": (1, 2)}, upsert=True) == 0
    assert mongo.find_one("best") == {"_id": "a", "v": [1, 2]}
    assert mongo.list_collection_names() == ["best", "epochs"]
    assert mongo.delete_many("epochs", {}) == 1202


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x", object(), "\ud800"])
def test_what_json_can_not_hold_names_the_call(value):
    with pytest.raises(WrongArgumentError, match="c, insert"):
        MongoAPI().insert_one("c", {"v": value})
    with pytest.raises(WrongArgumentError, match="set"):
        RedisAPI().set("k", value)


def test_names_of_collections_are_checked():
    for name in ("", "a/b", "../x", "$cmd", "a" * 65, ".a", "яма"):
        with pytest.raises(StoreError) as refusal:
            MongoAPI().insert_one(name, {})
        assert refusal.value.code == "collection_name_invalid"


def test_keys():
    redis = RedisAPI()
    assert redis.set("k", {"a": [1, None]}) and redis.get("k") == {"a": [1, None]}
    assert not redis.set("k", 1, only_if_absent=True)
    assert redis.get("none") is None and redis.get("none", 5) == 5
    redis.set("null", None)
    assert redis.get("null", 5) is None
    assert redis.incr("n") == 1 and redis.incr("n", by=-3) == -2
    assert redis.push("l", 1, "b") == 2 and redis.push("l", None) == 3
    assert (
        redis.list("l") == [1, "b", None] and redis.list("l", -2, -1) == ["b", None] and redis.list("l", 1, 1) == ["b"]
    )
    assert redis.list("none") == []
    assert redis.pop("l") == 1 and redis.pop("l", first=False, default=7) is None and redis.pop("l") == "b"
    assert redis.pop("l", default=7) == 7 and redis.keys() == ["k", "n", "null"]
    assert redis.keys("n") == ["n", "null"] and redis.delete("n") and not redis.delete("n")
    redis.push("l", 1)
    for call in (lambda: redis.get("l"), lambda: redis.push("k", 1), lambda: redis.incr("l")):
        with pytest.raises(StoreError) as refusal:
            call()
        assert refusal.value.code == "key_wrong_type"
    with pytest.raises(StoreError) as refusal:
        redis.incr("k")
    assert refusal.value.code == "key_not_whole"


def test_keys_end():
    redis = RedisAPI()
    redis.set("k", 1, ttl_s=0.05)
    redis.set("long", 1)
    assert redis.expire("long", 0.05) and not redis.expire("none", 1)
    time.sleep(0.1)
    assert redis.keys() == [] and redis.ttl("k") is None
    redis.set("k", 1, ttl_s=100)
    assert 90 < (redis.ttl("k") or 0) <= 100
    for ttl_s in (0, -1, 31 * 24 * 3600):
        with pytest.raises(StoreError) as refusal:
            redis.set("k", 1, ttl_s=ttl_s)
        assert refusal.value.code == "ttl_invalid"


class NoSeek(io.RawIOBase):
    """A pipe, for example."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer):
        return self._content.readinto(buffer)


def test_files(tmp_path):
    storage = StorageAPI()
    (tmp_path / "source").write_bytes(b"from a path")
    storage.put("a/path", tmp_path / "source")
    storage.put("a/bytes", b"x")
    opened = io.BytesIO(b"skipped, kept")
    opened.seek(9)
    storage.put("a/opened", opened)
    storage.put("пайп", NoSeek(b"piped"))
    assert storage.list("a/") == ["a/bytes", "a/opened", "a/path"] and storage.get("a/opened") == b"kept"
    assert storage.get("пайп") == b"piped"
    assert storage.download("a/path", tmp_path / "target").read_bytes() == b"from a path"
    assert storage.exists("a/bytes") and not storage.exists("a") and not storage.exists("b")
    assert storage.delete("a/bytes") and not storage.delete("a/bytes")
    with pytest.raises(StoreError) as refusal:
        storage.get("a/bytes")
    assert refusal.value.code == "project_file_not_found"
    for name in ("../x", "/x", "a/../../x", "", ".", "a\\b", "a\nb", "C:x"):
        with pytest.raises(StoreError) as refusal:
            storage.put(name, b"x")
        assert refusal.value.code.startswith("path_")
    with pytest.raises(WrongArgumentError, match="no such file"):
        storage.put("x", tmp_path / "none")
    assert not (tmp_path / "x").exists()


def test_an_absent_workstation_is_told_after_the_patience(monkeypatch, tmp_path):
    from PlatformAPI import api_socket

    monkeypatch.setattr(api_socket, "PATIENCE_S", 0.3)
    monkeypatch.setenv("ARM_API_SOCKET", str(tmp_path / "none" / "socket"))
    for call in (
        lambda: RedisAPI().incr("k"),
        lambda: MongoAPI().find_one("c"),
        lambda: StorageAPI().put("f", b"x"),
    ):
        with pytest.raises(StoreAwayError, match="it was not made"):
            call()


def test_using_a_store_loads_no_http_when_alone_and_nothing_before(tmp_path):
    code = (
        "import sys, PlatformAPI\n"
        "assert not {'sqlite3', 'http.client', 'socket', 'shutil', 'tempfile'} & set(sys.modules)\n"
        "PlatformAPI.MongoAPI().insert_one('c', {})\n"
        "assert not {'http.client', 'socket'} & set(sys.modules)\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARM_")}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=env)


def test_threads_share_one_object():
    redis = RedisAPI()
    threads = [threading.Thread(target=lambda: [redis.incr("n") for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redis.get("n") == 80
