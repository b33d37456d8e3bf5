"""Scripts that the Makefile runs; they need nothing but Python's standard library."""
