"""Figures about what a model writes, and whether a difference is shown; loads no model."""
