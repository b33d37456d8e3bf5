"""One turn of the loop from votes to a model that people try out, step by step; each step is also a command."""
