"""The numbers with which Discord's API speaks: types, flags, permissions, intents and limits."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Files = list[tuple[str, bytes]]  # names and contents

TEXT, DIRECT, THREAD = 0, 1, 11  # types of channels
EPHEMERAL, LOADING, LAYOUT = 1 << 6, 1 << 7, 1 << 15  # flags of messages
SET_FLAGS = 1 << 2 | 1 << 12 | LAYOUT  # what a bot may set at any time: no embeds, silent, layout
VIEW_CHANNEL, SEND_MESSAGES, SEND_IN_THREADS = 1 << 10, 1 << 11, 1 << 38
PERMISSIONS = (1 << 50) - 1 & ~(1 << 3)  # everything but administrator, which no channel could limit
GUILDS, GUILD_MESSAGES, GUILD_REACTIONS = 1 << 0, 1 << 9, 1 << 10  # intents
DIRECT_MESSAGES, DIRECT_REACTIONS, MESSAGE_CONTENT = 1 << 12, 1 << 13, 1 << 15
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5  # types of interactions
UPLOAD_LIMIT = 10 * 1024 * 1024
