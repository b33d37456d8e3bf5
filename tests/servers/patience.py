"""How long a test waits for what must come: far longer than it takes, for other work may share the processor."""

PATIENCE_S = 240
