"""Text generation on a queued GGUF worker that lives in a process of its own."""
