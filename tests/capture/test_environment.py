import getpass
import platform

import torch

from provrunner.capture.environment import (
    installed_packages,
    read_environment,
    software_agents,
    user_name,
)


def test_the_environment_names_what_it_runs_on():
    environment = read_environment({}, {"torch": "2.0"}, cuda=False, launcher="process")
    assert environment["python"] == platform.python_version()
    assert environment["threads"] == torch.get_num_threads()
    assert environment["memory_bytes"] > 1 << 20
    assert environment["packages"] == {"torch": "2.0"}
    assert (environment["gpus"], environment["launcher"]) == ([], "process")


def test_only_listed_variables_are_kept():
    environ = {"OMP_NUM_THREADS": "2", "AWS_SECRET_ACCESS_KEY": "abc", "HOME": "/home/me"}
    assert read_environment(environ, {}, cuda=False)["variables"] == {"OMP_NUM_THREADS": "2"}


def test_packages_are_read_from_their_folders(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (
        first / "some_thing-1.2+cpu.dist-info",
        second / "some_thing-0.9.dist-info",
        second / "Other-3.dist-info",
        second / "nothing",
    ):
        folder.mkdir(parents=True)
    missing = tmp_path / "missing"
    assert installed_packages(map(str, (first, second, missing))) == {
        "other": "3",
        "some-thing": "1.2+cpu",
    }


def test_every_tool_acts_for_the_user():
    agents = dict(software_agents("me", {"torch": "2.0"}))
    assert agents["torch"] == {"type": "software", "version": "2.0", "on_behalf_of": "me"}
    assert "provrunner" in agents


def test_a_user_without_a_name_is_unknown(monkeypatch):
    def fail():
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", fail)
    assert user_name() is None
