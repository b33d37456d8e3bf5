"""Whether a recipe's lengths are ones that its model is made for; loads no model and reads no row."""

from __future__ import annotations

from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Recipe


def check_lengths(recipe: Recipe, positions: int) -> None:
    """No row and no conversation may be longer than what the model has positions for; 0 of them are not known.

    Each stage that such a length is for asks it, for a recipe may change between two of them. Raises `InputInvalid`.
    """
    lengths = {
        "data.max_tokens": recipe.data.max_tokens,
        "prefer.max_tokens": recipe.prefer.max_tokens if recipe.prefer else 0,
        "served.context_tokens": recipe.served.context_tokens,
    }
    otherwise = ", or raise pretrain.context_tokens" if recipe.pretrain else ""
    for key, tokens in lengths.items():
        if positions and tokens > positions:
            raise InputInvalid(
                f"{key} is {tokens}, and the model is made for {positions}; set it to so many at most{otherwise}."
            )
