"""Turns an export of the bot into sets to train on: filtered, weighed, divided by person, and reviewed by a person."""
