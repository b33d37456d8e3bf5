"""The places where people talk to the bot; each module only translates."""
