"""Takes secrets out of text and values before they are written anywhere."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence

__all__ = ["is_secret_key", "redact", "redact_command", "redact_value", "secret_values"]

_MASK = "***"
_SHORTEST_SECRET = 6

_SECRET_WORD = re.compile(
    "apikey|auth|authorization|bearer|cookie|credentials?|dsn|passphrase|passwd|passwords?|pat|pwd"
    "|secrets?|token"
)
# Words that are secret only together: `api_key` is, `key` and `access` alone are not.
_SECRET_PAIRS = frozenset(
    {
        ("access", "key"),
        ("access", "keys"),
        ("account", "key"),
        ("api", "key"),
        ("api", "keys"),
        ("client", "key"),
        ("connection", "string"),
        ("encryption", "key"),
        ("license", "key"),
        ("private", "key"),
        ("signing", "key"),
        ("ssh", "key"),
        ("storage", "key"),
    }
)
# A word after the secret one that says the value is about the secret, not the secret itself:
# `token_length` is a number worth keeping, `bos_token` a word of a vocabulary.
_HARMLESS_SUFFIX = re.compile(
    "count|dim|dropout|embeddings?|file|ids?|kind|len|length|limit|max|merging|min|mixer|mixing"
    "|mode|name|num|path|pattern|pool|pooling|pruning|rate|reduction|selection|shift|size|type"
    "|usage"
)
_HARMLESS_TOKEN = re.compile(
    "bos|class|cls|eos|eot|image|mask|max|min|new|num|pad|patch|per|prefix|sep|special|start|stop"
    "|unk"
)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_USERINFO = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/@'\"]+@")
_ASSIGNMENT = re.compile(
    r"""(?P<key>[A-Za-z0-9_.-]{1,80})(?P<sep>["']?[ \t]{0,4}"""
    # an annotation of Python stands between a name and its value
    r"""(?::[ \t]{0,4}(?:Optional\[)?(?:str|bytes|SecretStr)\]?(?:[ \t]?\|[ \t]?None)?"""
    r"""[ \t]{0,4}=|[=:])[ \t]{0,4})"""
    r"""(?P<quote>["']?)(?P<value>[^\s"',;&}\])]{1,4096})"""
)
_AUTHORIZATION = re.compile(r"(?i)\b(?:bearer|basic)[ \t]+[A-Za-z0-9+/=_.~-]{8,}")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?P<kind>[A-Z ]{0,40}PRIVATE KEY)-----.*?(?:-----END (?P=kind)-----|\Z)", re.DOTALL
)
# What stands behind the name of a secret in code and is none: a patch must not lose it.
_NO_SECRETS = frozenset(
    {"None", "True", "False", "null", "true", "false", "str", "bytes", "int", "bool", "float"}
)
# Tokens with a published prefix. A bare hexadecimal digest matches none of them.
_TOKEN = re.compile(
    r"\b(?:"
    r"gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"  # GitHub
    r"|glpat-[A-Za-z0-9_-]{20,}"  # GitLab
    r"|hf_[A-Za-z0-9]{30,}"  # Hugging Face
    r"|sk-[A-Za-z0-9_-]{20,}|sk_live_[A-Za-z0-9]{16,}"  # OpenAI, Anthropic, Stripe
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|AIza[A-Za-z0-9_-]{35}"  # Google
    r"|pypi-[A-Za-z0-9_-]{40,}|npm_[A-Za-z0-9]{36}"  # PyPI, npm
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON Web Token
    r")"
)

# One salt a process: equal secrets can be seen to be equal within a run, and a short one cannot be
# looked up in a table of hashes.
_SALT = os.urandom(16)


def is_secret_key(key: str) -> bool:
    """Say whether a name looks like that of a secret.

    Example:
        >>> [is_secret_key(key) for key in ("db.password", "apiKey", "max_tokens", "bos_token")]
        [True, True, False, False]
    """
    words = [word.lower() for word in _WORD.findall(key)]
    return any(_names_secret(words, position) for position in range(len(words)))


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """Replace every secret in a text by `***`.

    Known values go first, then the user part of URLs, tokens by their published prefixes,
    `Authorization` headers, private keys, and values assigned to a name that looks secret.

    Args:
        text: what is about to be written.
        secrets: values known to be secret, such as those of `secret_values`.

    Example:
        >>> redact("cloning https://me:hunter2@example.org/x.git", ())
        'cloning https://example.org/x.git'
        >>> redact("password=hunter2 lr=0.1 and hunter3", {"hunter3"})
        'password=*** lr=0.1 and ***'
        >>> redact("def __init__(self, token: str | None = None)")
        'def __init__(self, token: str | None = None)'
    """
    # The longest first: a secret that holds another one must not leave its rest behind.
    for secret in sorted(filter(None, secrets), key=lambda value: (-len(value), value)):
        text = text.replace(secret, _MASK)
    text = _PRIVATE_KEY.sub(_MASK, text)
    text = _USERINFO.sub(lambda match: match["scheme"], text)
    text = _TOKEN.sub(_MASK, text)
    text = _AUTHORIZATION.sub(_MASK, text)
    return _ASSIGNMENT.sub(_mask_assignment, text)


def redact_command(words: Sequence[str], secrets: Collection[str] = ()) -> list[str]:
    """Hide the secrets of a command line, those that follow an option as well.

    Example:
        >>> redact_command(["train.py", "--password", "hunter2", "--lr", "0.1"])
        ['train.py', '--password', '***', '--lr', '0.1']
    """
    # `--password hunter2`: the second word is a secret only because of the first.
    before = ("", *words)
    return [
        _MASK
        if previous.startswith("-") and "=" not in previous and is_secret_key(previous)
        else redact(word, secrets)
        for previous, word in zip(before, words, strict=False)
    ]


def redact_value(key: str, value: object) -> object:
    """Return a configuration value without secrets.

    Where a key looks secret the value becomes `***` and eight hex digits of a hash salted by the
    process, so that two equal secrets of one run are seen to be equal. Mappings and lists are
    walked; other texts pass through `redact`. None, booleans and empty texts are no secrets.

    Example:
        >>> redact_value("db", {"user": "me", "port": 5432})
        {'user': 'me', 'port': 5432}
        >>> str(redact_value("db.password", "hunter2")).startswith("*** (")
        True
    """
    if isinstance(value, Mapping):
        return {name: redact_value(f"{key}.{name}", item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_value(key, item) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    if is_secret_key(key):
        return _salted(value)
    return redact(value) if isinstance(value, str) else value


def secret_values(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the values of environment variables whose names look secret.

    Values of fewer than six characters are left out: replacing `1` everywhere hides more than it
    protects.

    Example:
        >>> sorted(secret_values({"WANDB_API_KEY": "abcdef123", "PWD": "/home/me", "X_TOKEN": "1"}))
        ['abcdef123']
    """
    return frozenset(
        value
        for name, value in environ.items()
        # PWD and OLDPWD are the working directory, not a password.
        if len(value) >= _SHORTEST_SECRET and name not in {"PWD", "OLDPWD"} and is_secret_key(name)
    )


def _names_secret(words: list[str], position: int) -> bool:
    word = words[position]
    before = words[position - 1] if position else ""
    after = words[position + 1] if position + 1 < len(words) else ""
    if (before, word) in _SECRET_PAIRS:
        return not _HARMLESS_SUFFIX.fullmatch(after)
    if not _SECRET_WORD.fullmatch(word) or _HARMLESS_SUFFIX.fullmatch(after):
        return False
    return not (word == "token" and _HARMLESS_TOKEN.fullmatch(before))


def _salted(value: object) -> str:
    hashed = hashlib.sha256(_SALT + repr(value).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_MASK} ({hashed[:8]})"


def _mask_assignment(match: re.Match[str]) -> str:
    value = match["value"]
    if value.startswith(_MASK) or value in _NO_SECRETS or not is_secret_key(match["key"]):
        return match[0]
    return f"{match['key']}{match['sep']}{match['quote']}{_MASK}"
