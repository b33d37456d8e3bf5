"""Quotesmith's training pipeline: from data to a GGUF that equals what was trained."""
