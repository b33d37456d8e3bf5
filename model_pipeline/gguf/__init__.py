"""From a Hugging Face folder to a GGUF file: the pinned converter, quantization and parity checks."""
