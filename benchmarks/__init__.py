"""Measurements: each script prints a table and writes JSON; nothing here is needed to run the bot."""
