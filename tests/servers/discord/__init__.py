"""A Discord on loopback: its REST API and gateway with people and faults; it knows nothing of the bot's code."""

from tests.servers.discord.entities import Channel, Guild, Interaction, Person
from tests.servers.discord.faults import Fault
from tests.servers.discord.protocol import EPHEMERAL, LOADING, Json
from tests.servers.discord.server import DiscordServer

__all__ = ["EPHEMERAL", "LOADING", "Channel", "DiscordServer", "Fault", "Guild", "Interaction", "Json", "Person"]
