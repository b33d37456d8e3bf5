"""A Telegram on loopback: the Bot API and the people who write to the bot. It knows nothing of what the bot is for."""

from tests.servers.telegram.chats import Chat, Person
from tests.servers.telegram.faults import Fault
from tests.servers.telegram.protocol import REACTIONS, SAMPLES, Json
from tests.servers.telegram.server import TelegramServer

__all__ = ["REACTIONS", "SAMPLES", "Chat", "Fault", "Json", "Person", "TelegramServer"]
