"""The stages, one file each: they read a run folder and write to it, and never import each other."""
