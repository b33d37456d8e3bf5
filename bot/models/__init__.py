"""Model folders on disk: reading and checking them, adding, downloading and choosing one."""
