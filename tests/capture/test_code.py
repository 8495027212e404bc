import subprocess

import pytest

from provrunner.capture.code import CodeReader, read_code


def git(folder, *words):
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-b", "main")
    (tmp_path / "model.py").write_text("width = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def head(folder):
    answer = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def test_a_clean_repository_has_commit_and_branch(repository):
    assert read_code(repository) == {
        "commit": head(repository),
        "branch": "main",
        "dirty": False,
        "remote": None,
        "patch": None,
        "patch_sha256": None,
        "reason": None,
    }


def test_a_change_is_kept_as_a_redacted_patch(repository):
    (repository / "model.py").write_text("width = 2\npassword = 'hunter2'\n")
    code = read_code(repository)
    assert code["dirty"]
    assert "+width = 2" in code["patch"]
    assert "hunter2" not in code["patch"]
    assert len(code["patch_sha256"]) == 64


def test_a_large_patch_is_cut_and_its_digest_is_of_all(repository):
    (repository / "model.py").write_text("x = 1\n" * 400_000)
    code = read_code(repository)
    assert 900_000 < len(code["patch"]) <= 1 << 20
    assert len(code["patch_sha256"]) == 64


def test_without_patch_only_its_existence_is_told(repository):
    (repository / "model.py").write_text("width = 2\n")
    code = read_code(repository, patch=False)
    assert (code["dirty"], code["patch"], code["patch_sha256"]) == (True, None, None)


def test_the_remote_loses_its_user(repository):
    git(repository, "remote", "add", "origin", "https://me:hunter2@example.org/x.git")
    assert read_code(repository)["remote"] == "https://example.org/x.git"


def test_a_detached_head_has_no_branch(repository):
    git(repository, "checkout", "--detach")
    code = read_code(repository)
    assert (code["branch"], code["commit"]) == (None, head(repository))


def test_a_bare_repository_has_a_commit_and_a_reason(repository, tmp_path_factory):
    bare = tmp_path_factory.mktemp("bare")
    git(bare, "clone", "--bare", str(repository), ".")
    code = read_code(bare)
    assert (code["commit"], code["reason"]) == (head(repository), "bare repository")
    assert code["dirty"] is None


def test_a_shallow_clone_says_so(repository, tmp_path_factory):
    (repository / "model.py").write_text("width = 2\n")
    git(repository, "commit", "-am", "second")
    shallow = tmp_path_factory.mktemp("shallow")
    git(shallow, "clone", "--depth", "1", f"file://{repository}", ".")
    code = read_code(shallow)
    assert (code["commit"], code["reason"]) == (head(repository), "shallow clone")


def test_a_repository_without_a_commit_says_so(tmp_path):
    git(tmp_path, "init")
    assert read_code(tmp_path)["reason"] == "no commit yet"


def test_no_repository_is_a_reason(tmp_path):
    code = read_code(tmp_path)
    assert (code["commit"], code["reason"]) == (None, "not a git repository")


def test_no_git_is_a_reason(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert read_code(repository)["reason"] == "git is not installed, or the folder is gone"


def test_a_git_that_hangs_is_left_after_the_timeout(repository, tmp_path_factory, monkeypatch):
    fake = tmp_path_factory.mktemp("bin") / "git"
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    assert read_code(repository, timeout_s=0.2)["reason"] == "git took more than 0.2 s"


def test_the_repository_is_left_as_it_was(repository):
    before = sorted((file, file.stat().st_mtime_ns) for file in repository.rglob("*"))
    read_code(repository)
    assert sorted((file, file.stat().st_mtime_ns) for file in repository.rglob("*")) == before


def test_the_background_reader_gives_what_it_read(repository):
    reader = CodeReader(repository, patch=True)
    assert reader.wait(10.0)["commit"] == head(repository)
    assert reader.poll()["branch"] == "main"


def test_a_failing_background_reader_gives_a_reason(tmp_path):
    def fail(_root, *, patch):
        raise OSError("disk is gone")

    assert (
        CodeReader(tmp_path, patch=True, read=fail).wait(10.0)["reason"] == "OSError: disk is gone"
    )
