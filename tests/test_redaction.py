import pytest
from hypothesis import given
from hypothesis import strategies as st

from provrunner.redaction import is_secret_key, redact, redact_value, secret_values


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "db.password",
        "API_KEY",
        "apiKey",
        "aws_secret_access_key",
        "AWS_SECRET_ACCESS_KEY",
        "wandb.token",
        "sentry_dsn",
        "credentials",
        "GITHUB_TOKEN",
        "private_key",
        "AZURE_STORAGE_CONNECTION_STRING",
        "dbPassword",
    ],
)
def test_names_of_secrets_are_known(key):
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "lr",
        "model.num_tokens",
        "max_tokens",
        "bos_token",
        "pad_token_id",
        "token_dim",
        "tokenizer",
        "key",
        "key_dim",
        "author",
        "monkey",
        "optimizer.weight_decay",
        "secret_file",
        "passenger",
        "",
    ],
)
def test_names_of_hyperparameters_are_not_secrets(key):
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:pw@host/x.git", "https://host/x.git"),
        ("https://ghp_x@host/x.git", "https://host/x.git"),
        ("git@github.com:me/x.git", "git@github.com:me/x.git"),
        ("postgres://u:p@db:5432/n", "postgres://db:5432/n"),
        ("key ghp_" + "a" * 36 + " end", "key *** end"),
        ("AKIA" + "A1B2C3D4E5F6G7H8", "***"),
        ("Authorization: Bearer abcdefghijkl", "Authorization: ***"),
        ("-H 'x: bearer abcdefghijkl'", "-H 'x: ***'"),
        ("+password: 'hunter2'", "+password: '***'"),
        ('{"api_key": "abc"}', '{"api_key": "***"}'),
        ("model.password=hunter2 lr=0.1", "model.password=*** lr=0.1"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest", "***\nrest"),
        ("optimizer.lr=0.1 model.max_tokens=12", "optimizer.lr=0.1 model.max_tokens=12"),
        ("", ""),
    ],
)
def test_secrets_leave_the_text_and_the_rest_stays(text, expected):
    assert redact(text) == expected


def test_a_digest_is_no_token():
    digest = "9f2c41d8" * 8
    assert redact(f"sha256 {digest}") == f"sha256 {digest}"


def test_the_longer_of_two_known_secrets_goes_first():
    assert redact("abcdef123", {"abcdef", "abcdef123"}) == "***"


def test_values_are_redacted_by_key_at_every_depth():
    value = redact_value("db", {"hosts": [{"password": "hunter2", "port": 1}], "token": None})
    assert value["hosts"][0]["port"] == 1
    assert value["hosts"][0]["password"].startswith("*** (")
    assert value["token"] is None


def test_equal_secrets_look_equal_and_different_ones_do_not():
    assert redact_value("token", "a") == redact_value("password", "a")
    assert redact_value("token", "a") != redact_value("token", "b")


def test_secret_numbers_are_hidden_too():
    assert redact_value("pwd", 12345).startswith("*** (")


def test_numbers_and_flags_pass_unchanged():
    assert redact_value("lr", 0.1) == 0.1
    assert redact_value("use_auth", True) is True


def test_environment_values_are_taken_by_name_and_length():
    environ = {
        "MY_PASSWORD": "hunter2",
        "SHORT_TOKEN": "12345",
        "HOME": "/home/me",
        "PWD": "/long/path",
    }
    assert secret_values(environ) == {"hunter2"}


@given(st.text(max_size=300))
def test_redacting_never_raises_and_is_stable(text):
    once = redact(text)
    assert redact(once) == once


@given(st.text(alphabet="abcdef0123456789", min_size=6, max_size=40), st.text(max_size=50))
def test_a_known_secret_is_never_left_behind(secret, around):
    assert secret not in redact(f"{around}{secret}{around}", {secret})


def test_long_lines_cost_little():
    text = "a" * 200_000 + ":" * 1000
    assert redact(text) == text


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ('password: str = "hunter2xyz"', 'password: str = "***"'),
        ("api_key: Optional[str] = 'abcdef'", "api_key: Optional[str] = '***'"),
        ("token: str | None = None", "token: str | None = None"),
        ("def f(token: str, x: int)", "def f(token: str, x: int)"),
    ],
)
def test_a_secret_behind_an_annotation_is_masked_and_a_signature_is_kept(code, shown):
    assert redact(code) == shown
