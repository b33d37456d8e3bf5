"""What may be trained on at all, by the rules of each platform; whether its person agreed is asked elsewhere.

Telegram (Bot Developer Terms): what a person submits to the bot directly, so in their private chat. Discord (Developer
Policy): no message content without express permission; the options of a command are given to the bot itself.
"""

from __future__ import annotations

from bot.chat.messages import ConversationKey, MessageKind, Platform

# Of what the sentences `privacy`, `consent-given` and `note` say. A new meaning is a new version: everybody is told of
# it once, and a consent to an earlier one does not count any more.
TERMS_VERSION = "2026-11"


def may_be_trained_on(
    key: ConversationKey, kind: MessageKind, as_option: bool, *, permitted_on_discord: bool = False
) -> bool:
    """Whether a message in that place may be trained on, if its person agrees; `as_option`: typed into a command."""
    if key.platform is Platform.TELEGRAM:
        return key.chat_id == key.user_id
    if key.platform is Platform.DISCORD:
        return as_option or permitted_on_discord
    return True
