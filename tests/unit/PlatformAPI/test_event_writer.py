"""The promises of the event file: nothing lost on kill -9, forks and threads kept apart, a full disk survived."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import PlatformAPI

LOOP = """
import sys
import PlatformAPI
log = PlatformAPI.get_train_graph_logger()
i = 0
while True:
    log.log_point("loss", i / 7, 0, i)
    i += 1
    sys.stdout.write(f"{i}\\n")
    sys.stdout.flush()
"""


def test_every_point_whose_call_returned_survives_kill_9(run_dir: Path, events):
    process = subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    returned = 0
    for line in process.stdout:
        returned = int(line)
        if returned == 3000:
            process.send_signal(signal.SIGKILL)
            break
    # What was printed before the kill but not read yet counts, too; the last line may be torn.
    rest = process.stdout.read().split("\n")
    returned = max([returned, *(int(line) for line in rest[:-1] if line)])
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    points = events("point")
    assert len(points) in (returned, returned + 1)
    assert [point["i"] for point in points] == list(range(len(points)))


def test_a_forked_child_writes_its_own_file(run_dir: Path, events, script):
    script(
        "import os, PlatformAPI\n"
        "log = PlatformAPI.get_train_graph_logger()\n"
        "log.log_point('parent', 1.0, 0, 0)\n"
        "children = []\n"
        "for n in range(3):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        for i in range(50): log.log_point(f'child {n}', i, 0, i)\n"
        "        os._exit(0)\n"
        "    children.append(pid)\n"
        "for i in range(50): log.log_point('parent', 1.0, 0, i + 1)\n"
        "assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)\n",
        ARM_RUN_DIR=str(run_dir),
    )
    files = sorted((run_dir / "events").iterdir())
    assert len(files) == 4
    for path in files:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["s"] for line in lines] == list(range(len(lines)))
        assert (lines[0]["k"], lines[0]["what"]) == ("status", "sdk_ready")
        assert len({line["name"] for line in lines[1:]}) == 1


def test_a_fork_while_another_thread_logs_does_not_hang(run_dir: Path, events, script):
    script(
        "import os, threading, PlatformAPI\n"
        "log = PlatformAPI.get_train_graph_logger()\n"
        "done = threading.Event()\n"
        "def work():\n"
        "    while not done.is_set(): log.log_point('thread', 1.0, 0, 0)\n"
        "thread = threading.Thread(target=work); thread.start()\n"
        "for n in range(30):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        log.log_point('child', n, 0, n); os._exit(0)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "done.set(); thread.join()\n",
        ARM_RUN_DIR=str(run_dir),
    )
    assert sorted(e["v"] for e in events("point") if e["name"] == "child") == list(range(30))


def test_threads_lose_and_tear_nothing(run_dir: Path, events):
    log = PlatformAPI.get_train_graph_logger()

    def work(number: int) -> None:
        for i in range(500):
            log.log_point(f"graph {number}", i, 0, i, info="x" * 300)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event["s"] for event in events()) == list(range(4001))
    for n in range(8):
        assert [e["i"] for e in events("point") if e["name"] == f"graph {n}"] == list(range(500))


def test_a_signal_handler_may_log(run_dir: Path, events, script):
    script(
        "import signal, PlatformAPI\n"
        "log = PlatformAPI.get_train_graph_logger()\n"
        "signal.signal(signal.SIGALRM, lambda *_: log.log_point('alarm', 1.0, 0, 0))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "for i in range(50000): log.log_point('loss', i, 0, i)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n",
        ARM_RUN_DIR=str(run_dir),
    )
    points = events("point")
    assert [p["i"] for p in points if p["name"] == "loss"] == list(range(50000))
    assert any(p["name"] == "alarm" for p in points)


def test_a_full_disk_stops_nothing_and_loses_nothing_that_fits_in_memory(run_dir: Path, events, script):
    """A file size limit fails as a full disk does: first a short write in the middle of a line, then an error."""
    done = script(
        "import resource, pathlib, PlatformAPI\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))\n"
        "log = PlatformAPI.get_train_graph_logger()\n"
        "for i in range(1000): log.log_point('loss', i, 0, i)\n"
        "(file,) = pathlib.Path(__import__('os').environ['ARM_RUN_DIR'], 'events').iterdir()\n"
        "data = file.read_bytes()\n"
        "assert len(data) == 5000 and not data.endswith(b'\\n'), data[-50:]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "log.log_point('loss', 1000, 0, 1000)\n",
        ARM_RUN_DIR=str(run_dir),
    )
    assert [e["s"] for e in events()] == list(range(1002))
    assert [e["i"] for e in events("point")] == list(range(1001))
    assert done.stderr.count("PlatformAPI: cannot write") == 1


def test_what_waits_at_the_end_is_written_if_the_disk_works_again(run_dir: Path, events, script):
    script(
        "import resource, PlatformAPI\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))\n"
        "for i in range(100): PlatformAPI.get_logger().info(f'message {i}')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n",
        ARM_RUN_DIR=str(run_dir),
    )
    assert [e["text"] for e in events("message")] == [f"message {i}" for i in range(100)]


def test_what_does_not_fit_in_memory_is_counted(run_dir: Path, events, script):
    script(
        "import resource, PlatformAPI\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))\n"
        "log = PlatformAPI.get_train_graph_logger()\n"
        "for i in range(40): log.log_point('loss', i, 0, i, 'x' * 2**20)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "log.log_point('loss', 40, 0, 40)\n",
        ARM_RUN_DIR=str(run_dir),
    )
    kept = [e["i"] for e in events("point")]
    (warning,) = events("message")
    assert kept[:31] == list(range(31)) and len(kept) < 41
    assert warning["level"] == "warning" and warning["text"].startswith(f"{41 - len(kept)} events were lost")


def test_an_event_folder_that_cannot_be_made_stops_nothing(run_dir: Path, events, script):
    (run_dir / "events").write_text("a file where the folder should be")
    done = script("import PlatformAPI\nPlatformAPI.get_logger().info('x')", ARM_RUN_DIR=str(run_dir))
    assert "cannot write" in done.stderr


def test_a_restarted_script_with_the_same_pid_takes_the_next_file(run_dir: Path, events):
    (run_dir / "events").mkdir()
    (run_dir / "events" / f"{os.getpid()}-0.jsonl").write_text("")
    PlatformAPI.get_logger()
    assert (run_dir / "events" / f"{os.getpid()}-1.jsonl").is_file()
