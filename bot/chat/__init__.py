"""What the bot does: conversations, quotes and feedback, without I/O and without outside libraries."""
