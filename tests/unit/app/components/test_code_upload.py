import io
import zipfile

from app.components.code_upload import zip_from_files


def test_a_folder_becomes_an_archive_with_the_same_paths_and_bytes():
    files = [("solution/train.py", io.BytesIO(b"print(1)")), ("solution/nets/модель.py", io.BytesIO(b""))]
    with zipfile.ZipFile(zip_from_files(files)) as archive:
        assert archive.namelist() == ["solution/train.py", "solution/nets/модель.py"]
        assert archive.read("solution/train.py") == b"print(1)"
