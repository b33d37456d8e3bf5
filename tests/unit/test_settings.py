"""What a person who sets something sees: the value in force, or one sentence that names what is wrong."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from bot.errors import SettingsError
from bot.settings import SECTIONS, InferenceSettings, Settings, load_settings
from bot.settings_check import check_known, checked_value
from bot.settings_sources import Given, read_variables

REPOSITORY = Path(__file__).resolve().parents[2]
Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings of a working folder that holds the given config.toml and .env, with nothing beside the packages."""
    work, packages = tmp_path / "work", tmp_path / "packages"
    work.mkdir()
    packages.mkdir()

    def load(toml: str | None = None, env_file: str | None = None, **environ: str) -> Settings:
        for name, text in (("config.toml", toml), (".env", env_file)):
            (work / name).unlink(missing_ok=True)
            if text is not None:
                (work / name).write_text(text, encoding="utf-8", newline="")
        return load_settings(environ, work, packages)

    return load


def refusal(load: Load, toml: str | None = None, env_file: str | None = None, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(toml, env_file, **environ)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


# --- where values come from


def test_without_file_and_variables_the_defaults_hold(load: Load) -> None:
    assert load().inference == InferenceSettings()
    assert {line.source for line in load().describe() if not line.key.isupper()} == {"default"}


def test_the_shipped_config_file_shows_every_key_with_its_default() -> None:
    shipped = tomllib.loads((REPOSITORY / "config.toml").read_text(encoding="utf-8"))
    defaults = {name: json.loads(section().model_dump_json()) for name, section in SECTIONS.items()}
    assert shipped == defaults


def test_the_shipped_config_file_explains_every_key() -> None:
    lines = (REPOSITORY / "config.toml").read_text(encoding="utf-8").splitlines()
    bare = [line for before, line in pairwise(lines) if " = " in line and before[:1] != "#"]
    assert bare == []


def test_the_shipped_env_example_can_be_copied_as_it_is(load: Load) -> None:
    assert load(None, (REPOSITORY / ".env.example").read_text(encoding="utf-8")).secrets.values() == ()


def test_the_environment_beats_the_file_and_the_file_beats_the_default(load: Load) -> None:
    loaded = load(
        "[inference]\nslots = 8\nthreads = 3\n[chat]\nattempts = 2\n",
        QUOTESMITH_INFERENCE__SLOTS="4",
        QUOTESMITH_INFERENCE__DEADLINE_S="2.5",
    )
    assert loaded.inference == InferenceSettings(slots=4, threads=3, deadline_s=2.5)
    assert loaded.chat.attempts == 2
    sources = {line.key: (line.value, Path(line.source).name) for line in loaded.describe()}
    assert sources["inference.slots"] == ("4", "QUOTESMITH_INFERENCE__SLOTS")
    assert sources["inference.threads"] == ("3", "config.toml")
    assert sources["inference.max_waiting"] == ("64", "default")


def test_the_config_file_may_lie_elsewhere_and_relative_paths_follow_it(load: Load, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "mine.toml"
    other.parent.mkdir()
    other.write_text('[model]\nfolder = "m"\n[logging]\nfile = "log/bot.log"\n')
    loaded = load('[model]\nfolder = "not this"', QUOTESMITH_CONFIG=str(other))
    assert loaded.model.folder == other.parent / "m"
    assert loaded.database.url == f"sqlite+aiosqlite:///{other.parent}/data/quotesmith.db"
    assert loaded.logging.file == str(other.parent / "log/bot.log")
    assert loaded.console.history_file == other.parent / "data/console_history"


def test_a_relative_config_variable_counts_from_the_working_folder(load: Load, tmp_path: Path) -> None:
    (tmp_path / "work" / "mine.toml").write_text("[inference]\nslots = 5")
    assert load(QUOTESMITH_CONFIG="mine.toml").inference.slots == 5


def test_the_file_beside_the_packages_is_used_from_any_folder(load: Load, tmp_path: Path) -> None:
    (tmp_path / "packages" / "config.toml").write_text("[inference]\nslots = 5")
    assert load().inference.slots == 5
    assert load().model.folder == tmp_path / "packages" / "data" / "models"
    assert load("").inference.slots == 16  # a file in the working folder goes first, even an empty one


def test_without_any_file_paths_count_from_the_working_folder(load: Load, tmp_path: Path) -> None:
    assert load().model.folder == tmp_path / "work" / "data" / "models"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("sqlite+aiosqlite:////srv/q.db", "sqlite+aiosqlite:////srv/q.db"),
        ("sqlite+aiosqlite:///:memory:", "sqlite+aiosqlite:///:memory:"),
        ("sqlite+aiosqlite:////srv/q.db?mode=rw", "sqlite+aiosqlite:////srv/q.db?mode=rw"),
    ],
)
def test_an_absolute_address_stays_as_it_is(load: Load, url: str, kept: str) -> None:
    assert load(QUOTESMITH_DATABASE__URL=url).database.url == kept


def test_a_home_folder_may_be_written_as_a_tilde(load: Load) -> None:
    assert load('[model]\nfolder = "~/models"').model.folder == Path.home() / "models"
    assert "model.folder" in refusal(load, '[model]\nfolder = "~nobody-of-that-name/models"')


def test_a_file_saved_on_windows_is_read(load: Load) -> None:
    assert load("\ufeff[inference]\r\nslots = 5\r\n", "\ufeffDISCORD_TOKEN=abc\r\n").secrets.values() == ("abc",)


def test_settings_cannot_be_changed_afterwards(load: Load) -> None:
    with pytest.raises(ValidationError):
        load().inference.__setattr__("slots", 3)


# --- what is refused, and how


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[inference]\nslots = 0", "inference.slots is 0, but must be a whole number from 1 to 223"),
        ("[inference]\nslots = '3'", "inference.slots is '3', but must be a whole number"),
        ("[inference]\nslots = true", "inference.slots is true, but must be a whole number"),
        ("[inference]\nslots = 3.0", "inference.slots is 3.0, but must be a whole number"),
        ("[inference]\nslots = {a = 1}", "inference.slots is a table, but"),
        ("[inference]\ndeadline_s = nan", "inference.deadline_s is nan, but must be a number from 0.1 to 86400"),
        ("[logging]\nlevel = 'loud'", "logging.level is 'loud', but must be one of debug, info, warning, error"),
        ("[chat]\nsystem_prompt = 3", "chat.system_prompt is 3, but must be text of at most 20000 characters"),
        ("[model]\nfolder = ''", "model.folder is '', but must be a path"),
        ('[model]\nfolder = "a\\u0000b"', "model.folder is "),
        ("[database]\nurl = 'mysql://me:pw1@host/db'", "database.url is 'mysql://me:***@host/db', but must be an addr"),
        ("[inference]\nslot = 3", "there is no setting inference.slot; the nearest is inference.slots"),
        ("[inferense]\nslots = 3", "there is no setting inferense.slots; the nearest is inference.slots"),
        ("[chat]\npool_depth = 3", "there is no setting chat.pool_depth; the nearest is quote.pool_depth"),
        ("slots = 3", "there is no setting slots; the nearest is inference.slots"),
        ("[zzz]", "there is no setting zzz; the sections are model, database, chat"),
        ("[chat]\n'' = 1", "there is no setting chat."),
        ("chat = 3", "chat must be a section, written [chat], not a value"),
        ("[[chat]]\nattempts = 3", "chat must be a section"),
        ("[chat]\nattempts = 3\nattempts\n", "line 3"),
        ("[chat]\nattempts = 1" + "0" * 5000, "is not TOML"),
        ("[chat]\nattempts = 0x1" + "0" * 5000, "chat.attempts is a number of thousands of digits"),
        ("[chat]\nattempts = " + "[" * 5000, "is nested too deeply"),
    ],
)
def test_the_file_is_refused_in_one_sentence(load: Load, toml: str, said: str) -> None:
    text = refusal(load, toml)
    assert said in text and "config.toml" in text and "pw1" not in text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "QUOTESMITH_INFERENCE__SLOTS",
            "many",
            "QUOTESMITH_INFERENCE__SLOTS: inference.slots is 'many', but must be a",
        ),
        ("QUOTESMITH_INFERENCE__SLOTS", "", "inference.slots is ''"),
        ("QUOTESMITH_INFERENCE__DEADLINE_S", "inf", "inference.deadline_s is 'inf'"),
        (
            "QUOTESMITH_INFERENCE__SLOT",
            "3",
            "QUOTESMITH_INFERENCE__SLOT names no setting; the nearest is QUOTESMITH_INF",
        ),
        ("QUOTESMITH_SLOTS", "3", "the nearest is QUOTESMITH_INFERENCE__SLOTS"),
        ("QUOTESMITH_inference__slots", "3", "the nearest is QUOTESMITH_INFERENCE__SLOTS"),
        ("QUOTESMITH_DISCORD_TOKEN", "s3cret", "the nearest is DISCORD_TOKEN"),
        ("QUOTESMITH_CONFIG", "/nowhere/config.toml", "QUOTESMITH_CONFIG names '/nowhere/config.toml'"),
        (
            "QUOTESMITH_CONFIG",
            "~nobody-of-that-name/c.toml",
            "'~nobody-of-that-name/c.toml', but there is no such home",
        ),
        ("QUOTESMITH_CONFIG", "c" * 300, "which cannot be read: File name too long"),
        ("QUOTESMITH_", "3", "QUOTESMITH_ names no setting"),
        (
            "QUOTESMITH_DATABASE__URL",
            "sqlite+aiosqlite:///~nobody-of-that-name/q.db",
            "aiosqlite:///~nobody-of-that-name/q.db', but must be an address such as sqlite+aiosqlite:///data/",
        ),
        (
            "QUOTESMITH_DISCORD__GATEWAY_URL",
            "wss://h:99999",
            "discord.gateway_url is 'wss://h:99999', but must be \"\" or an address that begins with wss:// "
            "(ws:// for this machine only), with a port from 1 to 65535 if any",
        ),
        ("QUOTESMITH_DISCORD__API_BASE", "https://h:0", "discord.api_base is 'https://h:0', but must be"),
        ("QUOTESMITH_TELEGRAM__BASE_URL", "https://h:x", "telegram.base_url is 'https://h:x', but must be"),
        ("QUOTESMITH_TELEGRAM__BASE_URL", "https://h\x7f", "telegram.base_url is 'https://h\\x7f', but must be"),
    ],
)
def test_a_variable_is_refused_in_one_sentence(load: Load, name: str, value: str, said: str) -> None:
    text = refusal(load, **{name: value})
    assert said in text and "s3cret" not in text


def test_variables_of_others_and_those_of_the_build_are_left_alone(load: Load) -> None:
    assert load(QUOTESMITH_CACHE="/x", QUOTESMITH="y", HF_HOME="z", PATH="/bin").inference == InferenceSettings()


def test_a_file_that_is_no_text_is_refused(load: Load, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe\x00")
    assert "not a UTF-8 text file" in refusal(load, QUOTESMITH_CONFIG=str(bad))
    assert "not a file" in refusal(load, QUOTESMITH_CONFIG=str(tmp_path))


def test_a_folder_that_cannot_be_looked_into_is_said_so(tmp_path: Path) -> None:
    unreadable = tmp_path / ("x" * 300)  # as a folder of somebody else is, but for the administrator too
    for work, packages, file in ((unreadable, tmp_path, ".env"), (tmp_path, unreadable, "config.toml")):
        with pytest.raises(SettingsError) as caught:
            load_settings({}, work, packages)
        assert str(caught.value) == f"{unreadable / file} cannot be read: File name too long."


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[inference]\ncontext_tokens = 256", "inference.conversation_tokens is 1024 (default), but must be at most"),
        ("[inference]\nslots = 17\nbatch_tokens = 16", "must be at most inference.batch_tokens, which is 16"),
        ("[inference]\nprefill_chunk_tokens = 600", "prefill_chunk_tokens is 600"),
        ("[inference]\nconversation_tokens = 256", "chat.reply_max_tokens is 256 (default), but must be less than"),
        ("[inference]\nconversation_tokens = 100\n[chat]\nreply_max_tokens = 50", "quote.max_tokens is 120 (default)"),
    ],
)
def test_numbers_that_cannot_go_together_are_refused(load: Load, toml: str, said: str) -> None:
    text = refusal(load, toml)
    assert said in text and "config.toml" in text


# --- secrets


def test_secrets_come_from_the_environment_and_then_from_the_env_file(load: Load) -> None:
    loaded = load(None, "# mine\nexport DISCORD_TOKEN='from-file'\n", TELEGRAM_TOKEN=" t:1 ")
    assert loaded.secrets.discord_token is not None and loaded.secrets.telegram_token is not None
    assert loaded.secrets.discord_token.get_secret_value() == "from-file"
    assert loaded.secrets.telegram_token.get_secret_value() == "t:1"
    assert load(None, "DISCORD_TOKEN=file", DISCORD_TOKEN="env").secrets.values() == ("env",)
    assert load(None, "DISCORD_TOKEN=file", DISCORD_TOKEN="").secrets.values() == ("file",)


def test_a_secret_is_described_without_being_shown(load: Load) -> None:
    described = {line.key: (line.value, line.source) for line in load(DISCORD_TOKEN="abc").describe()}
    assert described["DISCORD_TOKEN"] == ("set", "environment")
    assert described["TELEGRAM_TOKEN"] == ("not set", "")


@pytest.mark.parametrize(
    "toml",
    [
        "DISCORD_TOKEN = 's3cret'",
        "[discord]\ntoken = 's3cret'",
        "[chat]\ntelegram-token = 's3cret'",
        "[secrets]\ndiscord = 's3cret'",
        "[database]\nquotesmith_data_key = 's3cret'",
        "hf_token = 's3cret'",
    ],
)
def test_a_secret_in_the_config_file_is_refused(load: Load, toml: str) -> None:
    text = refusal(load, toml)
    assert "secrets are read from the environment or a .env file only" in text and "s3cret" not in text


@pytest.mark.parametrize(
    ("env_file", "said"),
    [
        ("DISCORD_TOKEN=abc\nwhat is this = s3cret\n", ".env, line 2, is not of the form NAME=value"),
        ("DISCORD_TOKEN=s3cret and more\n", "DISCORD_TOKEN"),
        ("QUOTESMITH_INFERENCE__SLOTS=3\n", "QUOTESMITH_INFERENCE__SLOTS, but only secrets are read from it"),
    ],
)
def test_a_bad_env_file_is_refused(load: Load, env_file: str, said: str) -> None:
    text = refusal(load, None, env_file)
    assert said in text and "s3cret" not in text


def test_a_secret_with_a_dollar_sign_is_taken_as_it_is(load: Load) -> None:
    assert load(None, "DISCORD_TOKEN=a${HOME}b").secrets.values() == ("a${HOME}b",)


# --- lists in variables


class Lists(BaseModel):
    names: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("names", "a, b,c", ("a", "b", "c")),
        ("names", '["a", "b,c"]', ("a", "b,c")),
        ("names", "", ()),
        ("ids", "1,2", (1, 2)),
        ("ids", "[1, 2]", (1, 2)),
    ],
)
def test_a_list_in_a_variable_is_comma_separated_or_an_array(name: str, text: str, value: object) -> None:
    (one,) = read_variables({f"QUOTESMITH_LISTS__{name.upper()}": text})
    check_known(one, {"lists": Lists})
    assert checked_value(one, Lists, ()) == value


@pytest.mark.parametrize("text", ["1,x", "[1,", "['a']"])
def test_a_bad_list_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=re.escape("lists.ids is")):
        checked_value(Given("lists", "ids", text, "V", from_variable=True), Lists, ())


# --- whatever is written, it loads or is refused with the key named

bare_keys = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
known_keys = st.sampled_from(sorted({key for section in SECTIONS.values() for key in section.model_fields}))
scalars = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.text(max_size=20),
    st.dates(),
    st.datetimes(),
    st.times(),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(bare_keys, inner, max_size=3), max_leaves=5
)
documents = st.dictionaries(
    st.sampled_from(sorted(SECTIONS)) | bare_keys,
    st.dictionaries(known_keys | bare_keys, values, max_size=3) | scalars,
    max_size=3,
)


def as_toml(value: Any) -> str:
    """The value written as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return str(value).lower().replace("e+", "e")
    return str(value.isoformat())


def names_in(document: dict[str, Any]) -> set[str]:
    named = set()
    for section, table in document.items():
        keys = list(table) if isinstance(table, dict) else []
        named |= {f"{section}.{key}" for key in keys} or {section}
    return named


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(document=documents)
def test_any_document_loads_or_its_offending_key_is_named(load: Load, document: dict[str, Any]) -> None:
    toml = "\n".join(f"{as_toml(section)} = {as_toml(table)}" for section, table in document.items())
    assume(not re.search(r"\\ud[89a-f]", toml))  # TOML knows no halves of characters
    try:
        loaded = load(toml)
    except SettingsError as error:
        assert any(name in str(error) for name in names_in(document)) and "\n" not in str(error)
    else:
        for section, table in document.items():
            for key in set(table) - {"folder", "history_file", "file", "url"}:
                assert getattr(getattr(loaded, section), key) == table[key]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(in_file=st.integers(1, 223), in_environment=st.integers(1, 223))
def test_any_variable_beats_the_file(load: Load, in_file: int, in_environment: int) -> None:
    loaded = load(f"[inference]\nslots = {in_file}", QUOTESMITH_INFERENCE__SLOTS=str(in_environment))
    assert loaded.inference.slots == in_environment


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    secret=st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789.:-_$'\"\\", min_size=1, max_size=70).map("Zq".__add__),
    variable=st.sampled_from(["DISCORD_TOKEN", "TELEGRAM_TOKEN", "QUOTESMITH_DATA_KEY", "HF_TOKEN"]),
    misplaced=st.sampled_from(["QUOTESMITH_LOGGING__LEVEL", "QUOTESMITH_CHAT__ATTEMPTS", "QUOTESMITH_TOKEN"]),
)
def test_no_secret_is_ever_shown(load: Load, secret: str, variable: str, misplaced: str) -> None:
    loaded = load(**{variable: secret})
    assert loaded.secrets.values() == (secret,)
    shown = f"{loaded} {loaded!r} {loaded.secrets} {loaded.secrets!r} {loaded.describe()} {loaded.model_dump_json()}"
    assert secret not in shown and repr(secret)[1:-1] not in shown
    text = refusal(load, **{variable: secret, misplaced: f"it is {secret}"})
    assert secret not in text and repr(secret)[1:-1] not in text
