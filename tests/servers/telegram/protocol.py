"""The words and limits of the Bot API, and samples of what people send."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TEXT_LIMIT, CAPTION_LIMIT, ALERT_LIMIT, BUTTON_DATA_LIMIT = 4096, 1024, 200, 64
ONLY_ON_REQUEST = words("chat_member message_reaction message_reaction_count")
ADMINISTRATOR_RIGHTS = words(
    "manage_chat delete_messages manage_video_chats restrict_members promote_members change_info"
    " invite_users post_stories edit_stories delete_stories pin_messages manage_topics"
)
ACTIONS = words(
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker"
    " find_location record_video_note upload_video_note"
)
REACTIONS = words(
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾"
    " 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾"
    " 🤷‍♂ 🤷 🤷‍♀ 😡"
)
SERVICE_FIELDS = words(
    "new_chat_members left_chat_member new_chat_title group_chat_created supergroup_chat_created pinned_message"
    " migrate_to_chat_id migrate_from_chat_id forum_topic_created forum_topic_closed forum_topic_reopened"
)
# What stays a string even where it reads as JSON: a text that says 5, an identifier made of digits.
TEXT_PARAMETERS = words(
    "text caption title name description short_description language_code callback_query_id inline_query_id"
    " next_offset url parse_mode action"
)
SAMPLES: dict[str, Any] = {  # values for `send_other`
    "photo": [{"file_id": "photo-1", "file_unique_id": "p1", "width": 90, "height": 60}],
    "voice": {"file_id": "voice-1", "file_unique_id": "v1", "duration": 2, "mime_type": "audio/ogg"},
    "sticker": {
        "file_id": "sticker-1",
        "file_unique_id": "s1",
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
        "emoji": "👍",
    },
    "document": {"file_id": "document-1", "file_unique_id": "d1", "file_name": "notes.txt"},
}
