"""import PlatformAPI"""

import subprocess
import sys

import PlatformAPI

PUBLIC = [
    "get_train_params",
    "get_test_params",
    "get_available_datasets",
    "generate_dataset",
    "Dataset",
    "save_progress_for_platform",
    "get_logger",
    "get_train_graph_logger",
    "get_test_metrics_logger",
    "Table",
    "Matrix",
    "ConfusionMatrix",
    "Histogram",
    "TorchPklSaver",
    "T2OnnxSaver",
    "CombSaver",
    "get_markup_dict_for_images",
    "TrainMetrics",
    "TestMetrics",
    "get_weights_path",
    "get_device",
    "get_language",
    "get_classes",
    "get_artifacts_dir",
    "get_seed",
    "save_artifact",
]


def test_a_fresh_interpreter_loads_no_framework(tmp_path):
    code = (
        "import sys, threading, PlatformAPI\n"
        "heavy = {'torch', 'numpy', 'yaml', 'pandas', 'PIL', 'logging', 'asyncio', 'socket', 'onnx', 'onnxruntime'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_name_of_the_platform_is_there_and_documented():
    for name in PUBLIC:
        assert getattr(PlatformAPI, name).__doc__, name
    assert set(PUBLIC) <= set(PlatformAPI.__all__)
