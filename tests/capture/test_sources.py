import hashlib
import sys
from types import ModuleType

import pytest

from provrunner.capture.sources import SourceFinder


@pytest.fixture
def load(tmp_path, monkeypatch):
    def make(name, text, folder="."):
        file = tmp_path / folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        module = ModuleType(name)
        module.__file__ = str(file)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return make


def test_modules_below_the_root_are_found_once(tmp_path, load):
    load("my_model", "width = 1\n")
    finder = SourceFinder([tmp_path])
    sha256 = hashlib.sha256(b"width = 1\n").hexdigest()
    assert dict(finder.find()) == {"my_model": {"sha256": sha256, "path": "my_model.py"}}
    load("late", "x = 1\n")
    assert list(dict(finder.find())) == ["late"]


def test_installed_packages_are_not_the_users(tmp_path, load):
    load("installed", "x = 1\n", "venv/lib/python3.11/site-packages")
    assert dict(SourceFinder([tmp_path]).find()) == {}


def test_the_class_of_an_object_is_found_wherever_it_lies(tmp_path, load):
    module = load("elsewhere", "class Model: ...\n")
    module.Model = type("Model", (), {"__module__": "elsewhere"})
    found = dict(SourceFinder([tmp_path / "nowhere"]).find([module.Model()]))
    assert found["elsewhere"]["path"] == "elsewhere.py"


def test_full_keeps_the_redacted_text(tmp_path, load):
    load("my_model", "width = 1\napi_key = 'abc'\n")
    found = dict(SourceFinder([tmp_path], text=True).find())
    assert found["my_model"]["text"] == "width = 1\napi_key = '***'\n"


def test_a_file_that_is_gone_is_left_out(tmp_path, load):
    load("gone", "x = 1\n")
    (tmp_path / "gone.py").unlink()
    assert dict(SourceFinder([tmp_path]).find()) == {}
