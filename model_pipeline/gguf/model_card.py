"""Writes MODEL_CARD.md: what the model is, its figures, its limits and unpicked samples; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_pipeline.gguf.description import Description, Sampling, history_sentence
from model_pipeline.gguf.parity import Gate
from model_pipeline.gguf.samples import Sample

_FRONT = "---\nlicense: {license}\nlanguage: en\npipeline_tag: text-generation\n---\n"


def model_card(
    description: Description,
    facts: Mapping[str, str],
    gates: Mapping[str, Sequence[Gate]],
    quotes: Sequence[Sample],
    replies: Sequence[Sample],
) -> str:
    """The whole card. `facts` are rows of its first table; `gates` are by the type of the file that passed them."""
    card = description.card
    parts = [
        _FRONT.format(license=description.license.lower()) + f"# {description.name}\n\n{card.summary.strip()}".rstrip(),
        _table(("", ""), [("base", description.base), ("licence", description.license), *facts.items()]),
        f"## How it is asked\n\n{_asked(description)}",
        f"## How it was trained\n\n{card.training.strip()}",
        f"## Limits\n\n{card.limits.strip()}",
        f"## Sampling\n\n{_sampling(description)}",
        f"## Against the trained weights\n\n{_gates(gates)}",
    ]
    if quotes or replies:
        parts.append(f"## Unpicked samples\n\n{_samples(quotes, replies)}")
    return "\n\n".join(parts) + "\n"


def _asked(description: Description) -> str:
    prompt = description.quote_prompt
    how = "as a user turn of the chat template" if prompt.chat else "as plain text that the model completes"
    system = "System turns are understood." if description.system_prompt else "It was never trained on system turns."
    case = "The keyword is written in lower case. " if prompt.lower_case else ""
    bare = "No article stands before it, and no marks around it. " if prompt.bare else ""
    quote = f"For a quote, {how}:\n\n```\n{prompt.template}\n```"
    chat = ("For chat, with the template in the GGUF.", history_sentence(description.history_messages), system)
    return f"{quote}\n\n{case}{bare}{' '.join(filter(None, chat))}"


def _sampling(description: Description) -> str:
    uses = {"quotes": description.sampling.quote, "chat": description.sampling.chat}
    rows = [(key, *(str(getattr(sampling, key)) for sampling in uses.values())) for key in Sampling.model_fields]
    return f"{description.card.sampling.strip()}\n\n{_table(('', *uses), rows)}".strip()


def _gates(gates: Mapping[str, Sequence[Gate]]) -> str:
    rows = [
        (type_name, gate.name, ", ".join(f"{key} {value:g}" for key, value in gate.figures.items()))
        for type_name, passed in gates.items()
        for gate in passed
    ]
    return _table(("file", "compared", "figures"), rows)


def _samples(quotes: Sequence[Sample], replies: Sequence[Sample]) -> str:
    text = "The first draw of each, seeds from 0, as the model wrote it.\n\n"
    listed = [f"{number}. {sample.asked}: {_one_line(sample.text)}" for number, sample in enumerate(quotes, 1)]
    chat = [f"- {sample.asked}\n  - {_one_line(sample.text)}" for sample in replies]
    return text + "\n".join(listed) + ("\n\nOne turn of chat:\n\n" + "\n".join(chat) if chat else "")


def _one_line(text: str) -> str:
    return " / ".join(line.strip() for line in text.splitlines() if line.strip()) or "(nothing)"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
