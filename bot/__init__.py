"""Quotesmith: the chat process and its GGUF worker."""
