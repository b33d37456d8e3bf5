"""What can be set, within which bounds, and what it is when nobody sets it; knows nothing of the parts that use it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, Strict, StringConstraints
from pydantic.fields import FieldInfo

from bot.errors import SettingsError
from bot.settings_check import check_known, checked_value
from bot.settings_sources import (
    SECRET_VARIABLES,
    find_config_file,
    read_config_file,
    read_secrets,
    read_variables,
)

PACKAGES_FOLDER = Path(__file__).resolve().parents[1]


def _usable(path: Path) -> Path:
    if path == Path() or "\0" in str(path):
        raise ValueError("empty, or with a null character")
    try:
        return path.expanduser()
    except RuntimeError as error:  # a person unknown to this machine
        raise ValueError(str(error)) from error


def _usable_or_empty(text: str) -> str:
    return text and str(_usable(Path(text)))


def _with_usable_file(url: str) -> str:
    _usable(Path(url.partition(":///")[2].partition("?")[0]))
    return url


FilePath = Annotated[Path, Strict(False), AfterValidator(_usable)]
Prompt = Annotated[str, StringConstraints(max_length=20_000)]
SqliteUrl = Annotated[
    str,
    StringConstraints(pattern=r"^sqlite\+aiosqlite:///[^\x00]+$", max_length=4_000),
    AfterValidator(_with_usable_file),
    Field(json_schema_extra={"allowed": "an address such as sqlite+aiosqlite:///data/quotesmith.db (or :///~/my.db)"}),
]


class _Section(BaseModel):
    """A frozen group of settings; a value of the wrong type is never bent into the right one."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )


class ModelSettings(_Section):
    """Where model folders lie."""

    folder: FilePath = Path("data/models")


class DatabaseSettings(_Section):
    """Where conversations, votes and jobs are kept."""

    url: SqliteUrl = "sqlite+aiosqlite:///data/quotesmith.db"
    busy_timeout_ms: int = Field(5_000, ge=0, le=600_000)


class ChatSettings(_Section):
    """How the bot converses."""

    system_prompt: Prompt = (
        "You are Quotesmith, a kind and concise bot in a community chat. "
        "Answer in a few plain sentences, and say so when you do not know."
    )
    max_message_chars: int = Field(10_000, ge=1, le=100_000)
    reply_max_tokens: int = Field(256, ge=1, le=32_768)
    history_messages: int = Field(200, ge=0, le=10_000)
    repeat_window: int = Field(20, ge=0, le=1_000)
    attempts: int = Field(3, ge=1, le=20)
    candidates: int = Field(16, ge=1, le=64)
    choice_s: float = Field(0.8, ge=0.0, le=60.0)


class QuoteSettings(_Section):
    """How quotes are written, and how many of them ahead of time."""

    max_keyword_chars: int = Field(80, ge=1, le=1_000)
    max_tokens: int = Field(120, ge=8, le=2_048)
    attempts: int = Field(4, ge=1, le=20)
    candidates: int = Field(16, ge=1, le=64)
    choice_s: float = Field(0.38, ge=0.0, le=60.0)
    repeat_window: int = Field(50, ge=0, le=1_000)
    pool_depth: int = Field(4, ge=0, le=1_000)
    pool_keywords: int = Field(20, ge=1, le=10_000)


class InferenceSettings(_Section):
    """How the worker shares the processor between the texts it writes."""

    slots: int = Field(16, ge=1, le=223)  # beside those that rest, llama.cpp keeps no more sequences apart
    context_tokens: int = Field(8_192, ge=256, le=1_048_576)
    conversation_tokens: int = Field(1_024, ge=64, le=1_048_576)
    batch_tokens: int = Field(512, ge=16, le=16_384)  # the trials of threads decode so many at once
    prefill_chunk_tokens: int = Field(64, ge=1, le=16_384)
    max_waiting: int = Field(64, ge=1, le=100_000)
    max_waiting_per_person: int = Field(4, ge=1, le=100_000)
    threads: int = Field(0, ge=0, le=512)
    spin_count: int = Field(300, ge=0, le=1_000_000_000)
    deadline_s: float = Field(180.0, ge=0.1, le=86_400)
    hang_timeout_s: float = Field(60.0, ge=8.0, le=86_400)  # signs of life come behind steps of up to 4 seconds
    load_timeout_s: float = Field(300.0, ge=0.1, le=86_400)
    max_resumes: int = Field(3, ge=0, le=100)


def _endpoint(schemes: tuple[str, str]) -> AfterValidator:
    """An address with the encrypted scheme, or with the other one on this machine; or none."""

    def check(text: str) -> str:
        address = urlsplit(text)
        loopback = address.hostname in ("localhost", "127.0.0.1", "::1")
        usable = address.scheme == schemes[0] or (address.scheme == schemes[1] and loopback)
        # Asking for the port raises ValueError for one that is no number up to 65535.
        if text and not (usable and text.isprintable() and address.hostname and address.port != 0):
            raise ValueError("not such an address")
        return text.rstrip("/")

    return AfterValidator(check)


def _allowed_endpoint(schemes: tuple[str, str]) -> FieldInfo:
    what = f'"" or an address that begins with {schemes[0]}:// ({schemes[1]}:// for this machine only)'
    what += ", with a port from 1 to 65535 if any"
    return cast("FieldInfo", Field(json_schema_extra={"allowed": what}))


HttpEndpoint = Annotated[str, _endpoint(("https", "http")), _allowed_endpoint(("https", "http"))]
SocketEndpoint = Annotated[str, _endpoint(("wss", "ws")), _allowed_endpoint(("wss", "ws"))]
Id = Annotated[str, StringConstraints(pattern=r"^-?\d{1,20}$")]
Ids = Annotated[
    tuple[Id, ...],
    Strict(False),
    Field(json_schema_extra={"allowed": 'a list of ids in quotes, such as ["1234567890"]'}),
]
Language = Annotated[
    str,
    StringConstraints(pattern=r"^(auto|[a-z]{2})$"),
    Field(json_schema_extra={"allowed": 'auto or the two letters of a language, such as "de"'}),
]


class PlatformSettings(_Section):
    """How Discord and Telegram are served."""

    language: Language = "auto"
    stop_within_s: float = Field(8.0, ge=0.0, le=600.0)
    catch_up_minutes: int = Field(60, ge=0, le=1_440)


class LimitSettings(_Section):
    """How much one person and one chat may ask for."""

    requests_per_minute: int = Field(20, ge=0, le=100_000)
    chat_requests_per_minute: int = Field(120, ge=0, le=100_000)
    waiting_per_person: int = Field(4, ge=1, le=100_000)
    waiting_per_chat: int = Field(40, ge=1, le=100_000)


def _no_shorter_than_repetitions(days: int) -> int:
    if days == 1:
        raise ValueError("platforms repeat themselves for up to a day")
    return days


class RetentionSettings(_Section):
    """For how many days what people said is kept; 0 keeps it."""

    conversation_days: int = Field(365, ge=0, le=36_500)
    unanswered_days: int = Field(30, ge=0, le=36_500)
    event_days: Annotated[int, AfterValidator(_no_shorter_than_repetitions)] = Field(
        3, ge=0, le=36_500, json_schema_extra={"allowed": "0, or a whole number from 2 to 36500"}
    )


class DiscordSettings(_Section):
    """The bot on Discord: where its interface is, and who may use the bot."""

    api_base: HttpEndpoint = ""
    gateway_url: SocketEndpoint = ""
    allow: Ids = ()
    deny: Ids = ()
    quiet: Ids = ()
    operators: Ids = ()
    training_permission: Annotated[str, StringConstraints(max_length=500)] = ""


class TelegramSettings(_Section):
    """The bot on Telegram: where its interface is, and who may use the bot."""

    base_url: HttpEndpoint = ""
    allow: Ids = ()
    deny: Ids = ()
    quiet: Ids = ()
    operators: Ids = ()


class LoggingSettings(_Section):
    """What is logged, and where to."""

    level: Literal["debug", "info", "warning", "error"] = "warning"
    file: Annotated[str, StringConstraints(max_length=4_000), AfterValidator(_usable_or_empty)] = ""


class ConsoleSettings(_Section):
    """The terminal chat."""

    history_file: FilePath = Path("data/console_history")


class Secrets(_Section):
    """What must never be shown; an absent one is None."""

    discord_token: SecretStr | None = None
    telegram_token: SecretStr | None = None
    data_key: SecretStr | None = None
    hf_token: SecretStr | None = None

    def values(self) -> tuple[str, ...]:
        """The secret texts themselves, for the filter that keeps them out of the log."""
        held = (getattr(self, field) for field in SECRET_VARIABLES)
        return tuple(secret.get_secret_value() for secret in held if secret is not None)


@dataclass(frozen=True, slots=True)
class DescribedSetting:
    """One line of `quotesmith doctor`: `section.key`, the value as text, and who set it."""

    key: str
    value: str
    source: str


class Settings(_Section):
    """Everything that can be set. Built by hand it holds the defaults, with paths relative to the working folder."""

    model: ModelSettings = ModelSettings()
    database: DatabaseSettings = DatabaseSettings()
    chat: ChatSettings = ChatSettings()
    quote: QuoteSettings = QuoteSettings()
    inference: InferenceSettings = InferenceSettings()
    platforms: PlatformSettings = PlatformSettings()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    discord: DiscordSettings = DiscordSettings()
    telegram: TelegramSettings = TelegramSettings()
    logging: LoggingSettings = LoggingSettings()
    console: ConsoleSettings = ConsoleSettings()
    secrets: Secrets = Field(default_factory=Secrets, repr=False)

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def describe(self) -> list[DescribedSetting]:
        """Every setting with its value and its source; of a secret only whether it is set."""
        lines = []
        for section in SECTIONS:
            for key, value in getattr(self, section):
                name = f"{section}.{key}"
                lines.append(DescribedSetting(name, str(value), self._sources.get(name, "default")))
        for field, variable in SECRET_VARIABLES.items():
            held = getattr(self.secrets, field) is not None
            lines.append(DescribedSetting(variable, "set" if held else "not set", self._sources.get(variable, "")))
        return lines


SECTIONS: dict[str, type[BaseModel]] = {
    "model": ModelSettings,
    "database": DatabaseSettings,
    "chat": ChatSettings,
    "quote": QuoteSettings,
    "inference": InferenceSettings,
    "platforms": PlatformSettings,
    "limits": LimitSettings,
    "retention": RetentionSettings,
    "discord": DiscordSettings,
    "telegram": TelegramSettings,
    "logging": LoggingSettings,
    "console": ConsoleSettings,
}

# (smaller, may be equal, larger): beyond these the worker could never write the text that it is asked for.
_ORDER = (
    ("inference.slots", True, "inference.batch_tokens"),
    ("inference.prefill_chunk_tokens", True, "inference.batch_tokens"),
    ("inference.conversation_tokens", True, "inference.context_tokens"),
    ("chat.reply_max_tokens", False, "inference.conversation_tokens"),
    ("quote.max_tokens", False, "inference.conversation_tokens"),
)


def load_settings(
    environ: Mapping[str, str] = os.environ, folder: Path | None = None, packages_folder: Path = PACKAGES_FOLDER
) -> Settings:
    """Read the defaults, then the config file, then the environment; the later one wins.

    `folder` is the working folder: `config.toml` and `.env` are looked for there, the former then in
    `packages_folder`. Relative paths count from the config file's folder, or from the working folder without one.
    Raises SettingsError with one sentence that never holds a secret.
    """
    folder = (folder or Path.cwd()).absolute()
    secrets = read_secrets(environ, folder)
    hidden = tuple(secret.value for secret in secrets.values())
    config = find_config_file(environ, folder, packages_folder)
    given = [*(read_config_file(config) if config else ()), *read_variables(environ)]

    values: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    sources: dict[str, str] = {}
    for one in given:
        check_known(one, SECTIONS)
        if one.key:
            values[one.section][one.key] = checked_value(one, SECTIONS[one.section], hidden)
        sources[f"{one.section}.{one.key}"] = one.source
    held = Secrets(**{field: SecretStr(secret.value) for field, secret in secrets.items()})
    parts = {section: SECTIONS[section](**values[section]) for section in SECTIONS}
    settings = Settings.model_validate({**parts, "secrets": held})
    _check_order(settings, sources)
    _check_both(settings, sources)
    settings = _with_absolute_paths(settings, config.parent if config else folder)
    settings._sources = sources | {SECRET_VARIABLES[field]: secret.source for field, secret in secrets.items()}
    return settings


def _check_order(settings: Settings, sources: Mapping[str, str]) -> None:
    def value(name: str) -> int:
        section, _, key = name.partition(".")
        return int(getattr(getattr(settings, section), key))

    for small, may_be_equal, large in _ORDER:
        if value(small) > value(large) or (value(small) == value(large) and not may_be_equal):
            relation = "at most" if may_be_equal else "less than"
            raise SettingsError(
                f"{small} is {value(small)} ({sources.get(small, 'default')}), but must be {relation} "
                f"{large}, which is {value(large)} ({sources.get(large, 'default')})."
            )


def _check_both(settings: Settings, sources: Mapping[str, str]) -> None:
    """A bot that speaks to one Discord and listens to another would lose every message."""
    discord = settings.discord
    if bool(discord.api_base) != bool(discord.gateway_url):
        given, missing = ("api_base", "gateway_url") if discord.api_base else ("gateway_url", "api_base")
        raise SettingsError(
            f"discord.{given} is set ({sources.get(f'discord.{given}', 'default')}), but discord.{missing} is not: "
            "set both, or neither."
        )


def _with_absolute_paths(settings: Settings, base: Path) -> Settings:
    def absolute(path: str | Path) -> Path:
        return base / path

    scheme, _, rest = settings.database.url.partition(":///")
    file, query_mark, query = rest.partition("?")
    if file != ":memory:" and not file.startswith("file:"):
        file = str(absolute(Path(file).expanduser()))
    log_file = settings.logging.file
    return settings.model_copy(
        update={
            "model": settings.model.model_copy(update={"folder": absolute(settings.model.folder)}),
            "database": settings.database.model_copy(update={"url": f"{scheme}:///{file}{query_mark}{query}"}),
            "logging": settings.logging.model_copy(update={"file": log_file and str(absolute(log_file))}),
            "console": settings.console.model_copy(update={"history_file": absolute(settings.console.history_file)}),
        }
    )
