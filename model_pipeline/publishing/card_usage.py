"""The section of a card that shows how to use what the repository holds; its code is tested as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from model_pipeline.gguf.description import history_sentence
from model_pipeline.publishing.facts import ADAPTER_GGUF, Facts, Kind, base_on_hub
from model_pipeline.publishing.markdown import code
from model_pipeline.recipe import Recipe


def usage_section(kind: Kind, facts: Facts, paths: Sequence[str]) -> str:
    """What to type, and the prompt that the model was trained on; `paths` are the repository's files."""
    if kind is Kind.GGUF:
        return _of_gguf(facts)
    return _of_merged(facts.recipe) if kind is Kind.MERGED else _of_adapter(facts.recipe, paths)


def loading_section(recipe: Recipe) -> str:
    """How to load the dataset."""
    load = f'from datasets import load_dataset\n\nrows = load_dataset("{recipe.publish.dataset}")'
    return code(load, "python")


def _of_gguf(facts: Facts) -> str:
    recipe, prompt = facts.recipe, facts.recipe.served.quote_prompt
    repo, quantization = recipe.publish.gguf, facts.served.get("quantization", recipe.quantize.type_names[0])
    turn = "as a user turn of the chat template" if prompt.chat else "as plain text that the model completes"
    case = ", the keyword in lower case" if prompt.lower_case else ""
    bare = ", without an article before it" if prompt.bare else ""
    history = history_sentence(recipe.served.history_messages)
    return (
        "With the bot, which takes from `manifest.json` the prompt and the sampling that it was trained and measured "
        f"with:\n\n{code(f'quotesmith model pull {repo}')}\n\n"
        f"With llama.cpp:\n\n{code(f'llama-cli -hf {repo}:{quantization}')}\n\n"
        f"It is asked for a quote {turn}{case}{bare}:\n\n{code(prompt.template)}"
        + (f"\n\n{history}" if history else "")
    )


def _of_merged(recipe: Recipe) -> str:
    program = (
        "from transformers import pipeline\n\n"
        f'generate = pipeline("text-generation", model="{recipe.publish.merged}")\n'
        f"print(generate({_asked(recipe)}, max_new_tokens=60, return_full_text=False)[0])"
    )
    return code(program, "python")


def _of_adapter(recipe: Recipe, paths: Sequence[str]) -> str:
    repo = recipe.publish.adapter
    program = (
        "from peft import AutoPeftModelForCausalLM\nfrom transformers import AutoTokenizer, pipeline\n\n"
        f'model = AutoPeftModelForCausalLM.from_pretrained("{repo}")\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{repo}")\n'
        'generate = pipeline("text-generation", model=model, tokenizer=tokenizer)\n'
        f"print(generate({_asked(recipe)}, max_new_tokens=60, return_full_text=False)[0])"
    )
    alone = "" if base_on_hub(recipe) else "The base model is not on the hub, and the adapter needs it.\n\n"
    lora = f"llama-cli -m BASE.gguf --lora {ADAPTER_GGUF}"
    return f"{alone}{code(program, 'python')}" + (
        f"\n\nWith llama.cpp, on a GGUF of the base model:\n\n{code(lora)}" if ADAPTER_GGUF in paths else ""
    )


def _asked(recipe: Recipe) -> str:
    """A prompt as Python source."""
    prompt = recipe.served.quote_prompt
    text = prompt.template.replace("{keyword}", "courage")
    if not prompt.chat:
        return repr(text)
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return repr([*system, {"role": "user", "content": text}])
