"""The judge that comes with a model: tells written quotes from the model's own, and knows what it learned by heart."""
