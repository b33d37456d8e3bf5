"""Whether a new model may take the place of an old one: what is measured on both, and what must hold."""
