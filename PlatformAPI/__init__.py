"""PlatformAPI: what a solution's script calls to get its inputs and to show its progress, graphs, metrics and results.

Importing it opens nothing, starts nothing and loads no framework. The guide is docs/sdk.md, the files it reads and
writes are docs/run-folder.md.
"""

from PlatformAPI.artifacts import get_artifacts_dir, save_artifact
from PlatformAPI.datasets import Dataset, generate_dataset, get_available_datasets
from PlatformAPI.errors import PlatformError, RunFolderError, StoreAwayError, StoreError, WrongArgumentError
from PlatformAPI.messages import get_logger, save_progress_for_platform
from PlatformAPI.mongo_api import MongoAPI
from PlatformAPI.parameters import get_test_params, get_train_params
from PlatformAPI.redis_api import RedisAPI
from PlatformAPI.results import get_markup_dict_for_images
from PlatformAPI.run_inputs import get_classes, get_device, get_language, get_seed, get_weights_path
from PlatformAPI.savers import CombSaver, T2OnnxSaver, TorchPklSaver
from PlatformAPI.storage_api import StorageAPI
from PlatformAPI.test_metrics import ConfusionMatrix, Histogram, Matrix, Table, TestMetrics, get_test_metrics_logger
from PlatformAPI.train_metrics import TrainMetrics, get_train_graph_logger

__all__ = [
    "CombSaver",
    "ConfusionMatrix",
    "Dataset",
    "Histogram",
    "Matrix",
    "MongoAPI",
    "PlatformError",
    "RedisAPI",
    "RunFolderError",
    "StorageAPI",
    "StoreAwayError",
    "StoreError",
    "T2OnnxSaver",
    "Table",
    "TestMetrics",
    "TorchPklSaver",
    "TrainMetrics",
    "WrongArgumentError",
    "generate_dataset",
    "get_artifacts_dir",
    "get_available_datasets",
    "get_classes",
    "get_device",
    "get_language",
    "get_logger",
    "get_markup_dict_for_images",
    "get_seed",
    "get_test_metrics_logger",
    "get_test_params",
    "get_train_graph_logger",
    "get_train_params",
    "get_weights_path",
    "save_artifact",
    "save_progress_for_platform",
]
