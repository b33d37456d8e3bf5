"""What people do: they join, open places, write, react and use the bot's commands and components."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.servers.discord.client import Declared, command_data, find_command
from tests.servers.discord.components import filled, pressable
from tests.servers.discord.drafts import reference_fields
from tests.servers.discord.entities import Channel, Guild, Interaction, Person
from tests.servers.discord.interactions import begin
from tests.servers.discord.messages import attach, emit_message, existing, mentioned, new_message, put, remove
from tests.servers.discord.payloads import member_payload
from tests.servers.discord.places import direct_channel, new_channel, new_guild, new_thread
from tests.servers.discord.protocol import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Json
from tests.servers.discord.reactions import set_reaction
from tests.servers.discord.snowflakes import iso
from tests.servers.discord.world import World

BUTTON = 2  # a type of components


class People(World):
    """The world as people change it; messages that its methods return are copies, as they stood then."""

    # Themselves and their places

    def person(self, name: str, *, locale: str = "en-US", bot: bool = False) -> Person:
        """A new account, a member of every guild."""
        person = Person(self.snowflake(), name, locale, bot)
        self.people[person.id] = person
        return person

    def guild(self, name: str) -> Guild:
        """A new guild that the bot is in, without channels."""
        return new_guild(self, name, self.person(f"owner of {name}"))

    def channel(self, guild: Guild, name: str) -> Channel:
        """A new text channel."""
        return new_channel(self, guild, name)

    def thread(self, channel: Channel, name: str) -> Channel:
        """A new public thread."""
        return new_thread(self, channel, name, self.snowflake())

    def dm(self, person: Person) -> Channel:
        """The direct channel of a person and the bot."""
        return direct_channel(self, person)

    # Messages

    def say(
        self,
        person: Person,
        channel: Channel,
        content: str,
        *,
        reply_to: Json | None = None,
        ping: bool = True,
        attachments: Sequence[tuple[str, bytes]] = (),
        at: datetime | None = None,
        deliver: bool = True,
    ) -> Json:
        """A message of a person; without `deliver` it is in the history only, said while the bot was away."""
        fields: Json = {"content": content, "mentions": mentioned(self, content)}
        fields["mention_everyone"] = "@everyone" in content or "@here" in content
        if reply_to:
            reference = {"message_id": reply_to["id"], "channel_id": reply_to["channel_id"]}
            fields |= reference_fields(self, channel, reference)
            if ping and reply_to["author"]["id"] not in {user["id"] for user in fields["mentions"]}:
                fields["mentions"].append(reply_to["author"])
        message = new_message(self, channel, person.payload, at, **fields)
        message["attachments"] = [attach(self, channel, *attachment) for attachment in attachments]
        put(channel, message)
        if deliver:
            emit_message(self, "MESSAGE_CREATE", channel, message)
        self.changed()
        return copy.deepcopy(message)

    def edit(self, message: Json, content: str) -> None:
        """A person changes a message of theirs."""
        channel, found = self._found(message)
        found |= {"content": content, "mentions": mentioned(self, content), "edited_timestamp": iso(datetime.now(UTC))}
        emit_message(self, "MESSAGE_UPDATE", channel, found)

    def delete(self, message: Json) -> None:
        """A person deletes a message, theirs or the bot's."""
        remove(self, *self._found(message))

    def dismiss(self, message: Json) -> None:
        """Delete a message as `delete` does, also one that only its reader sees."""
        remove(self, *self._found(message, ephemeral=True))

    def react(self, person: Person, message: Json, emoji: str) -> None:
        """Add a reaction."""
        set_reaction(self, *self._found(message), emoji, person.id, on=True)

    def unreact(self, person: Person, message: Json, emoji: str) -> None:
        """Take a reaction back."""
        set_reaction(self, *self._found(message), emoji, person.id, on=False)

    def _found(self, message: Json, *, ephemeral: bool = False) -> tuple[Channel, Json]:
        """Where a message stands, and the message itself in the place of a copy."""
        channel = self.channels[message["channel_id"]]
        return channel, existing(channel, message["id"], ephemeral=ephemeral)

    # Commands and components

    def command(self, person: Person, channel: Channel, name: str, /, **options: object) -> Interaction:
        """Use a registered command; a subcommand by its whole name, as in "mydata show"."""
        declared = Declared.find(self, channel, name)
        return begin(self, COMMAND, person, channel, declared.data(self, declared.checked(options)))

    def autocomplete(
        self, person: Person, channel: Channel, name: str, option: str, value: object, **others: object
    ) -> Interaction:
        """Type into an option of a command; its `choices` are there once the bot has answered."""
        declared = Declared.find(self, channel, name)
        offers = any(each["name"] == option and each.get("autocomplete") for each in declared.options)
        assert offers, f"{option}: no choices"
        data = declared.data(self, others | {option: value}, focused=option)
        return begin(self, AUTOCOMPLETE, person, channel, data)

    def menu(self, person: Person, channel: Channel, name: str, target: Person | Json) -> Interaction:
        """Use a registered context menu command on a person or a message."""
        command = find_command(self, channel, name, 2 if isinstance(target, Person) else 3)
        if isinstance(target, Person):
            target_id, resolved = target.id, {"users": {target.id: target.payload}}
            resolved |= {"members": {target.id: member_payload()}} if channel.guild else {}
        else:
            found = copy.deepcopy(existing(channel, target["id"]))
            target_id, resolved = found["id"], {"messages": {found["id"]: found}}
        data = command_data(command, [], [], resolved) | {"target_id": target_id}
        return begin(self, COMMAND, person, channel, data)

    def press(self, person: Person, message: Json, label_or_custom_id: str, *values: str) -> Interaction:
        """Press a button of a message, or choose values in a select of it."""
        channel, found = self._found(message, ephemeral=True)
        audience = self.audience.get(found["id"], person)
        assert audience is person, f"only {audience.name} sees this message"
        component = pressable(found["components"], label_or_custom_id)
        data: Json = {"custom_id": component["custom_id"], "component_type": component["type"], "id": 0}
        chosen = {"values": list(values)} if component["type"] != BUTTON else {}
        return begin(self, COMPONENT, person, channel, data | chosen, found)

    def submit(self, person: Person, interaction: Interaction, **values: object) -> Interaction:
        """Fill in the modal that an interaction was answered with and send it; what is not given stays as it was."""
        assert interaction.modal, "the interaction was not answered with a modal"
        modal, left = interaction.modal, dict(values)
        components = [filled(each, None, left) for each in modal["components"]]
        assert not left, f"the modal has no {', '.join(left)}"
        data = {"custom_id": modal["custom_id"], "components": components}
        return begin(self, MODAL, person, interaction.channel, data, interaction.source)
