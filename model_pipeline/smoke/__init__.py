"""Small stand-ins for `--smoke`: base models of the same architecture and tokenizer family, and small data."""
