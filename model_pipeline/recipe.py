"""What a run does, as a TOML file says it: typed, checked and frozen; knows no stage's inner workings.

A recipe's first line is the command that runs it. Every value can be set there too: `--set fine_tune.r=16`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from model_pipeline.curation.settings import Curate
from model_pipeline.errors import InputInvalid
from model_pipeline.gating.settings import Gate
from model_pipeline.gguf.description import Card, HistoryMessages, QuotePrompt, SamplingByUse
from model_pipeline.gguf.quantize import parse_type
from model_pipeline.library_errors import key_of, refusal
from model_pipeline.optimizer_names import Optimizer, Schedule, ScheduleOfTrainer

_Read = TypeVar("_Read", bound=BaseModel)
RECIPES = files("model_pipeline") / "recipes"


class Family(StrEnum):
    """Architecture and tokenizer of a base model; `--smoke` makes a small one of the same family."""

    TINYLLAMA = "tinyllama"  # Llama, SentencePiece with byte fallback, Zephyr's chat template
    LLAMA3 = "llama3"  # Llama, byte-level BPE with Llama 3's pre-tokenizer and chat template
    GPT2 = "gpt2"  # GPT-2, its byte-level BPE, no chat template of its own
    STARTER = "starter"  # Llama and byte-level BPE, both trained from scratch by the stage `pretrain`
    SERVED = "served"  # a model folder of the bot, whose GGUF the stage `dequantize` takes apart


class Form(StrEnum):
    """The columns of a source's rows."""

    QUOTES = "quotes"  # quote, and keyword or tags
    ALPACA = "alpaca"  # instruction, input, output
    SHAREGPT = "sharegpt"  # conversations: [{from, value}]
    MESSAGES = "messages"  # messages: [{role, content}]
    EXPORT = "export"  # what `quotesmith data export` writes: a folder


class Method(StrEnum):
    """How the base model is fine-tuned."""

    LORA = "lora"  # adapters beside the weights in 16 or 32 bits
    LORA_8BIT = "lora-8bit"  # adapters beside 8-bit weights (LLM.int8())
    QLORA = "qlora"  # adapters beside 4-bit weights: NF4, double quantization
    FULL = "full"  # every weight


class Preference(StrEnum):
    """What a model learns people's taste by, one after the other in the order of `prefer.methods`."""

    SFT = "sft"  # from corrections: what somebody wrote instead
    KTO = "kto"  # from votes: single texts that were liked or not, https://arxiv.org/abs/2402.01306
    DPO = "dpo"  # from pairs: one text that was preferred to another, https://arxiv.org/abs/2305.18290


class GroupBy(StrEnum):
    """What is never divided between training and held-out rows."""

    KEYWORD = "keyword"
    CONVERSATION = "conversation"
    PERSON = "person"


class Precision(StrEnum):
    """The arithmetic of training; AUTO is bf16 where the hardware has it, then fp16 on a GPU, and fp32 on a CPU."""

    AUTO = "auto"
    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Base(_Section):
    """The model that a run starts from: a Hub id or a folder; the family `starter` has none and is pretrained.

    Of the family `served` it is a model folder of the bot, or `starter` for the one that is embedded in the bot.
    """

    family: Family
    model: str = ""
    revision: str = "main"

    @model_validator(mode="after")
    def _has_a_model(self) -> Self:
        if bool(self.model) == (self.family is Family.STARTER):
            raise ValueError("a base of the family starter has no model, and one of any other family names one")
        return self


class Source(_Section):
    """Where rows come from: a Hub dataset, or a folder, JSONL or Parquet file.

    A path that is not absolute is looked for in the working directory, then among the data of this package. `weight`
    says how many times its rows are learned from in an epoch of fine-tuning, and how often they are drawn as rehearsal:
    0.1 is a tenth of them, and 0 none, as of rows that the base model has learned already. They are evaluated, and
    their quotes kept from being given word for word, all the same.
    """

    form: Form
    hub: str = ""
    path: str = ""
    revision: str = "main"
    config: str = ""
    split: str = "train"
    weight: float = Field(1.0, ge=0, le=100)

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if bool(self.hub) == bool(self.path):
            raise ValueError("needs either hub (a dataset's id) or path (a folder, JSONL or Parquet file)")
        return self

    @property
    def name(self) -> str:
        """What it is called in the dataset card: the dataset's id, or the path as the recipe has it."""
        return self.hub or self.path


class Data(_Section):
    """Rows, how they become prompts and completions, and how they are split."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    quotes_as: Annotated[str, StringConstraints(pattern="^(text|chat)$")] = "text"
    replies: Annotated[str, StringConstraints(pattern="^(all|last)$")] = "all"  # of a conversation: one row for each
    max_rows: int = Field(0, ge=0)  # of all sources together, drawn with the seed; 0 is all
    max_tokens: int = Field(512, ge=16)  # prompt and completion; what is longer is cut, or dropped with its reason
    near_duplicate: float = Field(0.85, gt=0, le=1)  # Jaccard similarity of word 3-grams; 1 finds exact ones only
    group_by: GroupBy = GroupBy.CONVERSATION
    held_out: str = ""  # a text file of keywords, one a line: their quotes, and their groups, are always test rows
    validation_share: float = Field(0.05, gt=0, lt=0.5)
    test_share: float = Field(0.05, gt=0, lt=0.5)
    seed: int = 0

    @model_validator(mode="after")
    def _learns_from_a_source(self) -> Self:
        if not any(source.weight for source in self.sources):
            raise ValueError("sources needs one with a weight above 0, to learn from")
        weights: dict[str, float] = {}
        for source in self.sources:
            if weights.setdefault(source.name, source.weight) != source.weight:
                raise ValueError(f"sources names {source.name} with two weights, and a source has one")
        return self


class Corpus(_Section):
    """Plain text for pretraining: a folder of .txt files, a .tar.xz of them, a JSONL file with `text`, or WordNet's.

    The path `train-rows` stands for the prepared rows of this run. Of a folder or archive, `include` and `exclude`
    choose files by patterns of their names, so that one archive can be several corpora of different weights. `weight`
    multiplies how often a text is drawn; `starts_at` is the share of training before which it is not.
    """

    path: str
    include: tuple[str, ...] = ()  # such as "*plato*"; none is all
    exclude: tuple[str, ...] = ()
    weight: float = Field(1.0, gt=0)
    starts_at: float = Field(0.0, ge=0, lt=1)


class Pretrain(_Section):
    """A Llama from scratch and its tokenizer; only for the family `starter`."""

    corpora: Annotated[tuple[Corpus, ...], Field(min_length=1)]
    vocabulary: int = Field(4096, ge=512)
    hidden_size: int = Field(256, multiple_of=256)
    layers: int = Field(6, ge=1)
    heads: int = Field(4, ge=1)
    key_value_heads: int = Field(4, ge=1)
    feed_forward: int = Field(768, multiple_of=256)
    context_tokens: int = Field(512, ge=64)
    tokens: int = Field(10_000_000, ge=1_000)  # seen in training, repetitions counted
    batch_tokens: int = Field(16_384, ge=64)
    micro_batch: int = Field(8, ge=1)  # sequences at a time on the device
    learning_rate: float = Field(1e-3, gt=0)
    warmup: float = Field(0.02, ge=0)
    scheduler: Schedule = "cosine_with_min_lr"
    weight_decay: float = Field(0.1, ge=0)
    validation_share: float = Field(0.005, gt=0, lt=0.5)
    evaluate_every: int = Field(100, ge=1)  # steps; a checkpoint is saved as often
    precision: Precision = Precision.AUTO
    seed: int = 0

    @property
    def batches(self) -> tuple[int, int]:
        """Sequences at a time on the device, and how many times that for a step."""
        at_once = max(1, min(self.micro_batch, self.batch_tokens // self.context_tokens))
        return at_once, max(1, self.batch_tokens // (at_once * self.context_tokens))


class FineTune(_Section):
    """Supervised fine-tuning on the replies; the values of LoRA have no effect on the method `full`.

    With that method, weights between the base's and the trained ones (`interpolation`) may know more than either, see
    `training.interpolation`.
    """

    method: Method
    r: int = Field(8, ge=1)
    alpha: float = Field(16, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = ("all-linear",)
    learning_rate: float = Field(2e-4, gt=0)
    epochs: float = Field(1.0, gt=0)
    max_steps: int = Field(0, ge=0)  # instead of epochs, if not 0
    batch_size: int = Field(4, ge=1)  # rows at a time on a device
    accumulate: int = Field(1, ge=1)  # batches for a step
    optimizer: Optimizer = "adamw_8bit"
    scheduler: ScheduleOfTrainer = "cosine"
    warmup: float = Field(0.03, ge=0)  # below 1 a share of the steps, from 1 a number of them
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    precision: Precision = Precision.AUTO
    packing: bool = False  # several rows in a sequence, where the hardware has a kernel for it
    flash_attention: bool = True  # of flash-attn or PyTorch, where the hardware has it
    liger: bool = False  # fused kernels, where the hardware and the package are there
    activation_checkpointing: bool = True
    evaluate_every: int = Field(50, ge=1)  # steps; a checkpoint is saved as often
    patience: int = Field(3, ge=0)  # evaluations without a better loss before it stops; 0 never stops early
    interpolation: float = Field(1.0, gt=0, le=1)  # of the weights before training (0) and after it (1)
    seed: int = 0

    @model_validator(mode="after")
    def _interpolates_all_weights(self) -> Self:
        if self.interpolation < 1 and self.method is not Method.FULL:
            raise ValueError('interpolation below 1 mixes all weights, and needs method = "full"')
        return self


class Prefer(_Section):
    """Preference tuning on a curated folder, after fine-tuning or instead of it.

    It starts from the run's fine-tuned adapter if there is one, else from the base, and each method goes on from the
    one before. A method that has fewer rows than `least_rows` is left out. A row's weight is the probability that it
    is drawn. Weights between those before and after a method (`interpolation`) keep more of the likelihood and the
    variety of what was written, see `training.interpolation`; `calibrate` makes what is left as sure as it is right of
    the written rows held out, see `training.calibration`. `desirable_weight` and `undesirable_weight` of KTO are
    chosen by the rows' counts where they are 0.
    """

    data: Annotated[str, StringConstraints(min_length=1)]  # what `quotesmith-pipeline curate` wrote
    methods: Annotated[tuple[Preference, ...], Field(min_length=1)] = (Preference.KTO, Preference.DPO)
    sources: tuple[str, ...] = ()  # of votes that are used, such as "button"; none is all
    how: Method = Method.LORA
    r: int = Field(16, ge=1)
    alpha: float = Field(32, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)  # in sft; KTO and DPO compare likelihoods, and have none
    targets: tuple[str, ...] = ("all-linear",)
    learning_rate_sft: float = Field(2e-4, gt=0)
    learning_rate_kto: float = Field(1e-4, gt=0)
    learning_rate_dpo: float = Field(5e-5, gt=0)
    beta: float = Field(0.1, gt=0)  # how dearly the model pays for leaving the one that it started from
    interpolation: float = Field(1.0, gt=0, le=1)  # of the weights before a method (0) and after it (1)
    interpolation_from: Literal["method", "base"] = "method"  # or of those of the base, before fine-tuning too
    calibrate: bool = False
    calibrate_by: tuple[str, ...] = ()  # names of the sources in data.sources whose rows it is; none is all
    desirable_weight: float = Field(0.0, ge=0)
    undesirable_weight: float = Field(0.0, ge=0)
    rehearsal: float = Field(0.1, ge=0, le=10)  # written rows beside those of sft and kto, as a share of them
    epochs: float = Field(1.0, gt=0)  # of each method
    max_steps: int = Field(0, ge=0)  # of each method, instead of epochs, if not 0
    batch_size: int = Field(16, ge=2)  # KTO compares the rows of a batch with one another
    accumulate: int = Field(1, ge=1)
    optimizer: Optimizer = "adamw_torch"
    scheduler: ScheduleOfTrainer = "cosine"
    warmup: float = Field(0.1, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    precision: Precision = Precision.AUTO
    activation_checkpointing: bool = False
    max_tokens: int = Field(0, ge=0)  # of prompt and reply; 0 is data.max_tokens
    least_rows: int = Field(50, ge=1)
    evaluate_every: int = Field(20, ge=1)  # steps; a checkpoint is saved as often
    patience: int = Field(3, ge=0)  # evaluations without a better loss before a method ends; 0 never ends it early
    seed: int = 0

    @model_validator(mode="after")
    def _names_each_method_once(self) -> Self:
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("methods names one of them twice")
        return self

    @model_validator(mode="after")
    def _interpolates_all_weights(self) -> Self:
        if self.interpolation < 1 and self.how is not Method.FULL:
            raise ValueError('interpolation below 1 mixes all weights, and needs how = "full"')
        if self.calibrate and self.how is not Method.FULL:
            raise ValueError('calibrate = true scales weights of the model, and needs how = "full"')
        if self.calibrate_by and not self.calibrate:
            raise ValueError("calibrate_by needs calibrate = true")
        if self.interpolation_from == "base" and len(self.methods) > 1:
            raise ValueError('interpolation_from = "base" needs a single method: the next would not begin with the mix')
        return self

    def learning_rate(self, method: Preference) -> float:
        """The one of a method."""
        rates = {
            Preference.SFT: self.learning_rate_sft,
            Preference.KTO: self.learning_rate_kto,
            Preference.DPO: self.learning_rate_dpo,
        }
        return rates[method]


class Export(_Section):
    """The GGUF that is not quantized, and what the gates compare on."""

    outtype: Annotated[str, StringConstraints(pattern="^(f16|bf16|f32)$")] = "f16"
    gate_lines: int = Field(500, ge=1)
    gate_prompts: int = Field(20, ge=1)


class Quantize(_Section):
    """llama.cpp's types to write; the first is the one that is served."""

    types: Annotated[tuple[str, ...], Field(min_length=1)] = ("Q4_K_M",)

    @model_validator(mode="after")
    def _are_types(self) -> Self:
        for name in self.types:
            try:
                parse_type(name)
            except InputInvalid as error:
                raise ValueError(str(error).rstrip(".")) from error
        return self

    @property
    def type_names(self) -> tuple[str, ...]:
        """The types by llama.cpp's names, each once: `q4_k_m` and `Q4_K` are Q4_K_M."""
        return tuple(dict.fromkeys(map(parse_type, self.types)))


class Judge(_Section):
    """What chooses among several quotes of the served model.

    With `marks`, files of marked quotes, it learns which of them a reader would post, by what the model knows of them,
    and, where marked replies stand in them too, which of those fit; without, it learns to tell written quotes from the
    model's own.
    """

    marks: tuple[str, ...] = ()  # .jsonl files, as `prefer.data`
    most_keywords: int = Field(0, ge=0)  # that are learned from, drawn with the seed; 0 is all
    batch_size: int = Field(256, ge=1)  # quotes that are read or written together
    epochs: int = Field(6, ge=1)
    dropout: float = Field(0.3, ge=0, lt=1)
    seed: int = 0
    # With marks only.
    readers_hidden: int = Field(256, ge=1, le=2_048)
    readers_learning_rate: float = Field(1e-3, gt=0)
    # Without marks only.
    quotes_a_keyword: int = Field(8, ge=1)  # that the model writes for the judge to learn from
    buckets: int = Field(6_144, ge=16, le=65_536)
    width: int = Field(32, ge=1, le=256)
    hidden: int = Field(96, ge=1, le=512)
    learning_rate: float = Field(3e-3, gt=0)


class Evaluate(_Section):
    """How many held-out rows are answered, and how long an answer may be."""

    rows: int = Field(200, ge=2)
    max_new_tokens: int = Field(128, ge=8)
    batch_size: int = Field(16, ge=1)
    temperature: float = Field(0.7, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    latency_requests: int = Field(20, ge=2)
    examples: int = Field(8, ge=1)
    unseen_keywords: str = ""  # a text file of keywords, one a line, that the bot is asked for; "" asks for none
    sampled_quotes: int = Field(1_000, ge=2)  # that the bot is asked for then, half of them for known keywords
    beside: tuple[str, ...] = ()  # other models, folders or ids on the Hub, that read the held-out keywords' quotes too
    seed: int = 0


class Served(_Section):
    """What the manifest of the model folder says about asking this model, beside what is measured."""

    context_tokens: int = Field(0, ge=0)  # 0: what the GGUF says
    system_prompt: bool
    history_messages: HistoryMessages = None
    quote_prompt: QuotePrompt
    sampling: SamplingByUse = SamplingByUse()
    card: Card = Card()


class Publish(_Section):
    """Names of the repositories on the Hub; those left empty are not published."""

    adapter: str = ""
    merged: str = ""
    gguf: str = ""
    dataset: str = ""
    private: bool = True


class Figure(_Section):
    """A figure that somebody published for this run; `name` is ours for the same thing, for `compare`."""

    name: str
    value: float
    note: str = ""


class Recipe(_Section):
    """A whole run."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    about: str
    license: str
    base: Base
    data: Data
    curate: Curate = Curate()
    pretrain: Pretrain | None = None
    fine_tune: FineTune | None = None
    prefer: Prefer | None = None
    export: Export = Export()
    quantize: Quantize = Quantize()
    judge: Judge | None = None
    evaluate: Evaluate = Evaluate()
    gate: Gate = Gate()
    served: Served
    publish: Publish = Publish()
    published: tuple[Figure, ...] = ()
    smoke: bool = False  # made by `--smoke`: a small model of the family, and small data

    @model_validator(mode="after")
    def _is_pretrained_or_not(self) -> Self:
        if (self.pretrain is not None) != (self.base.family is Family.STARTER):
            raise ValueError("pretrain belongs to a base of the family starter, and to no other")
        return self

    @model_validator(mode="after")
    def _is_trained(self) -> Self:
        if self.fine_tune is None and self.prefer is None:
            raise ValueError("a recipe needs a section fine_tune, prefer, or both")
        if self.fine_tune and self.prefer and self.fine_tune.method not in (Method.FULL, self.prefer.how):
            raise ValueError(
                f"prefer.how is {self.prefer.how}, and goes on with the adapter of fine_tune, whose method is "
                f"{self.fine_tune.method}; give both the same"
            )
        return self

    @model_validator(mode="after")
    def _calibrates_by_sources(self) -> Self:
        names = [source.name for source in self.data.sources]
        if self.prefer and (unknown := [name for name in self.prefer.calibrate_by if name not in names]):
            raise ValueError(f"prefer.calibrate_by names {unknown[0]!r}; the sources are {', '.join(names)}")
        return self

    @property
    def trained_last(self) -> FineTune | Prefer:
        """The settings of the last training, whose result is merged and served."""
        trained = self.prefer or self.fine_tune
        assert trained is not None  # a recipe without either is refused
        return trained

    @property
    def method(self) -> Method:
        """How the weights were held in the last training."""
        trained = self.trained_last
        return trained.how if isinstance(trained, Prefer) else trained.method

    @property
    def why_no_adapter(self) -> str:
        """The sentence that says why a run has no adapter that others could use; "" where it has."""
        if self.method is Method.FULL:
            return "Fine-tuning every weight makes no adapter; leave publish.adapter empty."
        if self.prefer and self.fine_tune and self.fine_tune.method is Method.FULL:
            return (
                "The adapter of [prefer] lies on weights that [fine_tune] made, which no repository holds; leave "
                "publish.adapter empty, and name publish.merged or publish.gguf."
            )
        return ""


def recipe_names() -> list[str]:
    """The recipes that come with this package."""
    return sorted(Path(entry.name).stem for entry in RECIPES.iterdir() if _is_recipe(entry.name))


def read_recipe(name_or_path: str, settings: Sequence[str] = ()) -> Recipe:
    """The recipe of that name, or in that TOML file, with `settings` such as `fine_tune.r=16` in it.

    Raises `InputInvalid`, whose sentence names the first wrong key and what is allowed.
    """
    content = _parse(recipe_text(name_or_path), name_or_path)
    for setting in settings:
        _set(content, setting)
    recipe = check_recipe(content, name_or_path)
    if recipe.publish.adapter and recipe.why_no_adapter:  # asked here: a run that was begun with it can still be opened
        raise InputInvalid(recipe.why_no_adapter)
    return recipe


def read_curate(recipe: str, settings: Sequence[str] = ()) -> Curate:
    """The section [curate] of a recipe, or its defaults where `recipe` is "", with `settings` in it.

    Raises `InputInvalid`.
    """
    return _read_section("curate", Curate(), recipe, settings)


def read_gate(recipe: str, settings: Sequence[str] = (), otherwise: Gate | None = None) -> Gate:
    """The section [gate] of a recipe, or `otherwise` where `recipe` is "", with `settings` in it.

    Raises `InputInvalid`.
    """
    return _read_section("gate", otherwise or Gate(), recipe, settings)


def read_publish(otherwise: Publish, settings: Sequence[str]) -> Publish:
    """The section [publish] of a run, with `settings` in it. Raises `InputInvalid`."""
    return _read_section("publish", otherwise, "", settings)


def _read_section(section: str, otherwise: _Read, recipe: str, settings: Sequence[str]) -> _Read:
    """A section that a command reads alone; `settings` are of it, such as `gate.prompts=100`."""
    if unknown := next((each for each in settings if not each.strip().startswith(f"{section}.")), ""):
        raise InputInvalid(f"{unknown!r} cannot be set for this command; allowed is {section}.KEY=VALUE.")
    if recipe:
        found: _Read = getattr(read_recipe(recipe, settings), section)
        return found
    content: dict[str, Any] = {section: otherwise.model_dump(mode="json")}
    for setting in settings:
        _set(content, setting)
    try:
        return type(otherwise).model_validate(content[section])
    except ValidationError as error:
        raise InputInvalid(f"This cannot be set: {section}.{_first_problem(error)}.") from error


def recipe_text(name_or_path: str) -> str:
    """The TOML of a recipe. Raises `InputInvalid`."""
    path = Path(name_or_path)
    if path.suffix == ".toml":
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputInvalid(f"The recipe {path} cannot be read: {reason}.") from error
    if name_or_path not in recipe_names():
        names = ", ".join(recipe_names())
        raise InputInvalid(f"There is no recipe {name_or_path!r}; give the path of a .toml file, or one of {names}.")
    return (RECIPES / f"{name_or_path}.toml").read_text(encoding="utf-8")


def check_recipe(content: Mapping[str, Any], where: str) -> Recipe:
    """The recipe of parsed TOML or JSON. Raises `InputInvalid`."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise InputInvalid(f"The recipe {where} cannot be used: {_first_problem(error)}.") from error


def _is_recipe(file_name: str) -> bool:
    return file_name.endswith(".toml") and not file_name.endswith("-folder.toml")


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise InputInvalid(f"The recipe {where} is nested too deeply.") from error
    except ValueError as error:  # also what int() says of a number with thousands of digits
        raise InputInvalid(f"The recipe {where} is not TOML: {error}.") from error


def _set(content: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise InputInvalid(f"{setting!r} sets nothing; write it as section.key=value, such as fine_tune.r=16.")
    table: Any = content
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise InputInvalid(f"{setting!r} cannot be set, for {part} is no section; give a whole list as its value.")
    table[parts[-1]] = _value(key.strip(), value.strip())


def _value(key: str, text: str) -> object:
    """A TOML value, or a bare word as the string that it is. Raises `InputInvalid`."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except RecursionError as error:
        raise InputInvalid(f"{key} cannot be set: the value is nested too deeply.") from error
    except ValueError as error:  # what int() says of a number with thousands of digits
        raise InputInvalid(f"{key} cannot be set: {error}.") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    key = key_of(problem)
    text = refusal(problem)
    if problem["type"] == "extra_forbidden":
        text = "is not a key of a recipe"
    return f"{key} {text[0].lower()}{text[1:]}" if key else text
