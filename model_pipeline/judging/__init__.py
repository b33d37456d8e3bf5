"""The judge that comes with a model: says which of its quotes to give, and knows what it learned by heart."""
