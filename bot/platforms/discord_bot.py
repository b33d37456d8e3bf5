"""The bot on Discord: one connection after the other, events in, answers out; translates and decides nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta

import aiohttp
import discord
import yarl
from discord import app_commands

from bot.chat.messages import Platform, Vote
from bot.chat.ports import Place, SeenBefore
from bot.errors import PlatformRefused, PlatformUnreachable, QuotesmithError, StorageError
from bot.platforms.access import Verdict
from bot.platforms.catalogue import Texts
from bot.platforms.commands import Command
from bot.platforms.data_files import data_files
from bot.platforms.discord_commands import CatalogueTranslator, add_commands
from bot.platforms.discord_events import (
    custom_id,
    key_of,
    message_event,
    places_of,
    read_interaction,
    read_message,
    typed_text,
)
from bot.platforms.discord_outlet import DiscordOutlet, attachment, view_of
from bot.platforms.errands import TAKE_LONG, Outcome
from bot.platforms.front_desk import FrontDesk, only_text
from bot.platforms.incoming import Incoming, vote_of
from bot.platforms.outlet import Press
from bot.platforms.presses import FollowUp, Pressed, why_buttons
from bot.platforms.replies import STOPPED, user_text
from bot.platforms.splitting import split
from bot.platforms.turns import Turns

log = logging.getLogger(__name__)

_BAD_TOKEN = 4004  # the gateway's close code
_LONGEST_INTERNAL_WAIT_S = 30.0  # for a rate limit, by the library itself; what takes longer is told to the lanes
_KNOWN_FOR = timedelta(days=30)  # where nobody has talked to the bot for longer, nothing is looked for after a pause
_MOST_MISSED = 10_000  # messages of everybody that are looked through in each place, the newest first
_OUTAGE_S = 10.0  # a connection that is back within this time was never worth a line
_MOST_TYPED = 2_000  # characters in a form


def use_endpoints(api_base: str, gateway_url: str) -> None:
    """Speak to another Discord than Discord's; "" for both leaves it at that. To be called before anything connects."""
    if api_base:
        discord.http.Route.BASE = api_base
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


class DiscordBot:
    """Serves Discord with the desk's help. `report` takes a line for the operator."""

    platform = Platform.DISCORD

    def __init__(
        self,
        token: str,
        outlet: DiscordOutlet,
        desk: FrontDesk,
        report: Callable[[str], None],
        catch_up: timedelta,
    ) -> None:
        self._token = token
        self._outlet = outlet
        self._desk = desk
        self._report = report
        self._catch_up = catch_up
        self._languages: dict[int, str] = {}  # what people's programs said they want; messages do not say it
        self._synced = False
        # The library has events dealt with side by side: the last sign is to win, and a command to be carried out
        # before what its person says next is stored.
        self._reactions = asyncio.Lock()
        self._turns = Turns()

    async def run(self, connected: Callable[[], None]) -> None:
        """Serve until cancelled; `connected` is called when Discord is ready.

        Raises PlatformRefused for a wrong token, and PlatformUnreachable when the connection cannot be kept.
        """
        client = _Client(self, connected)
        self._outlet.client = client
        try:
            await client.start(self._token)
        except discord.LoginFailure as error:
            raise PlatformRefused(
                "Discord does not accept the token: copy DISCORD_TOKEN again from the developer portal."
            ) from error
        except discord.ConnectionClosed as error:
            if error.code == _BAD_TOKEN:
                raise PlatformRefused(
                    "Discord no longer accepts the token: make a new one in the developer portal and set DISCORD_TOKEN."
                ) from error
            raise PlatformUnreachable(f"Discord closed the connection ({error.code}).") from error
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError, AttributeError) as error:
            # AttributeError: the library's own, when the very first connection to the gateway fails.
            raise PlatformUnreachable(f"Discord cannot be reached ({error}).") from error
        finally:
            await client.close()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._outlet.client is not None:
            await self._outlet.client.close()

    # -- the connection ---------------------------------------------------------------------------------------------

    async def set_up(self, tree: app_commands.CommandTree[discord.Client]) -> None:
        """What is done when Discord has accepted the token, before it sends anything."""
        if not self._synced:
            await tree.set_translator(CatalogueTranslator())
            add_commands(tree, self)
            await tree.sync()
            self._synced = True
        else:
            add_commands(tree, self)
        await self._desk.resume()

    def ready(self, client: discord.Client) -> None:
        """Discord sends events from now on; what was missed before is looked for."""
        servers = len(client.guilds)
        self._report(f"Discord: connected as {client.user}, in {servers} server{'' if servers == 1 else 's'}.")
        self._desk.answering.spawn(self._answer_missed(client), "looking for what was missed")

    def lost(self) -> None:
        """The connection has been down for a while."""
        self._report("Discord: the connection is lost; trying again.")

    def found(self) -> None:
        """The connection is back, and nothing was missed."""
        self._report("Discord: connected again.")

    async def _answer_missed(self, client: discord.Client) -> None:
        """Answer what was said to the bot while it was away, where somebody knows it; what was taken is not again."""
        if not self._catch_up:
            return
        now = datetime.now(UTC)
        for place in await self._desk.records.places(self.platform, now - _KNOWN_FOR):
            try:
                await self._answer_missed_in(client, place, now - self._catch_up)
            except (discord.DiscordException, aiohttp.ClientError, OSError, RuntimeError, QuotesmithError) as error:
                # RuntimeError: the connection was closed meanwhile; the next one looks again.
                log.info("nothing missed was looked for in %s: %s", place.thread_id or place.chat_id, error)

    async def _answer_missed_in(self, client: discord.Client, place: Place, since: datetime) -> None:
        channel_id = int(place.thread_id or place.chat_id)
        channel = client.get_channel(channel_id) or await client.fetch_channel(channel_id)
        if isinstance(channel, discord.abc.Messageable):
            found = await self._said_since(channel, channel_id, since)
            # What was taken would be passed over later too, but would count against its person's limits until then.
            taken = await self._desk.records.taken_events(self.platform, [message_event(m.id) for m in found])
            for message in found:
                if message_event(message.id) not in taken:
                    await self.message(message)

    async def _said_since(
        self, channel: discord.abc.Messageable, channel_id: int, since: datetime
    ) -> list[discord.Message]:
        """What was said to the bot there since then, in order of time; among very many messages, the newest of it."""
        looked_at = 0
        found: list[discord.Message] = []
        async for message in channel.history(after=since, limit=_MOST_MISSED, oldest_first=False):
            looked_at += 1
            if self._read_message(message) is not None:
                found.append(message)
        if looked_at == _MOST_MISSED:
            log.warning("what was missed in channel %d is looked for in its newest %d messages", channel_id, looked_at)
        return found[::-1]

    # -- messages and reactions -------------------------------------------------------------------------------------

    async def message(self, message: discord.Message) -> None:
        """Somebody said something."""
        incoming = self._read_message(message)
        if incoming is None:
            return
        try:
            async with self._turns.of(incoming.key.user_id):
                if not incoming.text and message.attachments:
                    await self._desk.refuse(incoming, only_text())
                else:
                    await self._desk.message(incoming, self._show)
        except StorageError as error:
            log.error("a message on Discord cannot be stored: %s", error)
            await self._show(incoming, await self._desk.give_up(incoming, error))

    async def reacted(self, payload: discord.RawReactionActionEvent, before: Vote, after: Vote) -> None:
        """Somebody reacted to a message, or took a reaction back."""
        user, channel_id, post = str(payload.user_id), str(payload.channel_id), str(payload.message_id)
        channel = self._outlet.client.get_channel(payload.channel_id) if self._outlet.client is not None else None
        places = places_of(channel, payload.channel_id, payload.guild_id)
        try:
            async with self._reactions:
                await self._desk.presses.react(user, channel_id, post, before, after, places)
        except QuotesmithError as error:  # such as a reply that was erased meanwhile
            log.info("a reaction on Discord is no vote: %s", error)

    async def _show(self, incoming: Incoming, outcome: Outcome) -> None:
        """The outcome of a command that was typed as a message."""
        delivery = self._desk.answering.delivery
        if outcome.data is None:
            await delivery.say(incoming.address, outcome.text)
        else:
            await delivery.hand_over(incoming.address, outcome.text, outcome.data)

    # -- commands ---------------------------------------------------------------------------------------------------

    async def request(self, interaction: discord.Interaction, command: Command, *, private: bool) -> None:
        """The model is to answer a command."""
        incoming = self._read(interaction, private=private)
        try:
            async with self._turns.of(incoming.key.user_id):
                job = await self._desk.ask(incoming, command)
        except SeenBefore:
            return
        except QuotesmithError as error:
            await _whisper(interaction, user_text(error, incoming.address.texts))
            return
        await self._acknowledge(interaction, job.job_id, incoming)
        self._desk.answering.answer(job, incoming.address)

    async def errand(self, interaction: discord.Interaction, command: Command) -> None:
        """A command that needs no model; nobody but the person sees what comes of it."""
        incoming = self._read(interaction, private=True)
        async with nullcontext() if command.action in TAKE_LONG else self._turns.of(incoming.key.user_id):
            if not await self._taken(incoming):
                return
            # Beside the errand: neither is Discord to wait for it, nor what the person says next for Discord.
            deferring = self._desk.answering.spawn(_defer(interaction), f"acknowledging {command.action}")
            outcome = await self._desk.errand(incoming, command)
        await asyncio.wait([deferring])
        first, *rest = split(outcome.text, self._outlet.limit)
        data, limit = outcome.data, self._outlet.file_limit
        files = await asyncio.to_thread(data_files, data, limit) if data is not None else []
        try:
            await interaction.edit_original_response(content=first, attachments=list(map(attachment, files[:1])))
            for part in rest:
                await interaction.followup.send(part, ephemeral=True)
            for file in files[1:]:
                await interaction.followup.send(file=attachment(file), ephemeral=True)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            log.warning("what came of the command %s was not shown: %s", command.action, error)
            if files:
                await _whisper(interaction, incoming.address.texts("mydata-not-sent"))

    async def suggest(self, interaction: discord.Interaction, typed: str) -> list[str]:
        """Keywords for what was typed so far."""
        key = key_of(interaction.channel, interaction.channel_id or 0, interaction.user.id)
        try:
            return await self._desk.suggestions(key, typed, 25)
        except QuotesmithError as error:
            log.info("no keywords are suggested: %s", error)
            return []

    async def model_names(self, interaction: discord.Interaction) -> list[str]:
        """The models, for operators."""
        return list(self._desk.errands.model_names(self._read(interaction, private=True)))

    async def _acknowledge(self, interaction: discord.Interaction, job_id: int, incoming: Incoming) -> None:
        """Show that an answer is on its way, and remember the message that it will be in."""
        address = incoming.address
        try:
            with self._desk.admission.taking(incoming):
                made = await interaction.response.defer(ephemeral=address.private, thinking=True)
                if made is not None and made.message_id is not None:
                    await self._desk.outbox.posted(job_id, 0, self.platform, address.chat_id, str(made.message_id))
        except (discord.DiscordException, aiohttp.ClientError, OSError, StorageError) as error:
            log.info("job %d was not acknowledged in time: %s", job_id, error)  # its answer finds another way

    # -- buttons ----------------------------------------------------------------------------------------------------

    async def component(self, interaction: discord.Interaction) -> None:
        """A button was pressed."""
        data = custom_id(interaction)
        unseen = interaction.message is not None and interaction.message.flags.ephemeral
        incoming = self._read(interaction, private=unseen)
        try:
            async with self._turns.of(incoming.key.user_id):
                pressed = await self._desk.presses.press(incoming, data)
        except SeenBefore:
            return
        except QuotesmithError as error:
            await _whisper(interaction, user_text(error, incoming.address.texts))
            return
        if pressed.job is not None:
            await self._acknowledge(interaction, pressed.job.job_id, incoming)
            self._desk.answering.answer(pressed.job, incoming.address)
            return
        # If this fails, what was asked for is done all the same.
        with suppress(discord.DiscordException, aiohttp.ClientError, OSError):
            await _respond(interaction, pressed, data, incoming.address.texts, quiet=self._is_quiet(incoming))

    async def form(self, interaction: discord.Interaction) -> None:
        """A form was sent: a reply in better words."""
        what, _, number = custom_id(interaction).partition(":")
        incoming = self._read(interaction, private=True)
        if what != Press.BETTER or not number.isdigit():
            return
        try:
            async with self._turns.of(incoming.key.user_id):
                if not await self._taken(incoming):
                    return
                text = await self._desk.presses.correct(incoming, int(number), typed_text(interaction))
        except QuotesmithError as error:
            text = user_text(error, incoming.address.texts)
        await _whisper(interaction, text)

    def _read_message(self, message: discord.Message) -> Incoming | None:
        me = self._outlet.client.user if self._outlet.client is not None else None
        return read_message(message, me.id, self._language_of(message.author.id)) if me is not None else None

    def _read(self, interaction: discord.Interaction, *, private: bool) -> Incoming:
        language = self._desk.language(interaction.locale.value)
        self._languages[interaction.user.id] = language
        quiet = tuple(self._desk.admission.lists.quiet)
        return read_interaction(interaction, language, private=private, quiet=quiet)

    def _is_quiet(self, incoming: Incoming) -> bool:
        """Nobody but the person who asks is to see what is said there, whatever they ask for."""
        lists = self._desk.admission.lists
        return lists.verdict(incoming.key.user_id, incoming.places, private=False) is Verdict.QUIET

    def _language_of(self, user_id: int) -> str:
        return self._languages.get(user_id) or self._desk.language(None)

    async def _taken(self, incoming: Incoming) -> bool:
        try:
            return await self._desk.records.take_events(self.platform, incoming.events)
        except StorageError as error:
            log.error("an interaction on Discord cannot be stored: %s", error)
            return True  # doing it twice is better than never


class _Client(discord.Client):
    """The library's client; hands every event to the bot. Needs no privileged intent."""

    def __init__(self, bot: DiscordBot, connected: Callable[[], None]) -> None:
        intents = discord.Intents.none()
        intents.guilds = intents.guild_messages = intents.dm_messages = True
        intents.guild_reactions = intents.dm_reactions = True
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            max_ratelimit_timeout=_LONGEST_INTERNAL_WAIT_S,
        )
        self._bot = bot
        self._connected = connected
        self._outage: asyncio.TimerHandle | None = None
        self._is_lost = False
        self.tree = app_commands.CommandTree(
            self,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )
        self.tree.on_error = self._command_failed  # type: ignore[method-assign]

    async def setup_hook(self) -> None:
        await self._bot.set_up(self.tree)

    async def on_ready(self) -> None:
        self._connection_is_back(say=False)
        self._connected()
        self._bot.ready(self)

    async def on_resumed(self) -> None:
        self._connection_is_back(say=True)

    async def on_disconnect(self) -> None:
        if self._outage is None and not self.is_closed():
            self._outage = asyncio.get_running_loop().call_later(_OUTAGE_S, self._say_lost)

    async def on_message(self, message: discord.Message) -> None:
        await self._bot.message(message)

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        if payload.member is not None and payload.member.bot:  # in private chats there is no other bot
            return
        if self.user is None or payload.user_id != self.user.id:
            await self._bot.reacted(payload, Vote.NONE, vote_of([payload.emoji.name or ""]))

    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        await self._bot.reacted(payload, vote_of([payload.emoji.name or ""]), Vote.NONE)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if interaction.type is discord.InteractionType.component:
            await self._bot.component(interaction)
        elif interaction.type is discord.InteractionType.modal_submit:
            await self._bot.form(interaction)

    async def on_error(self, event_method: str, /, *args: object, **kwargs: object) -> None:
        log.exception("an event of Discord was not understood: %s", event_method)

    async def close(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
        await super().close()

    async def _command_failed(self, interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
        if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            log.warning("a command on Discord is of another version of the bot: %s", error)
        else:
            log.error("a command on Discord failed", exc_info=error)
        await _whisper(interaction, Texts(self._bot._desk.language(interaction.locale.value))("error-unexpected"))

    def _connection_is_back(self, *, say: bool) -> None:
        if self._outage is not None:
            self._outage.cancel()
            self._outage = None
        if self._is_lost and say:
            self._bot.found()
        self._is_lost = False

    def _say_lost(self) -> None:
        self._is_lost = True
        self._bot.lost()


async def _respond(interaction: discord.Interaction, pressed: Pressed, data: str, texts: Texts, *, quiet: bool) -> None:
    """Tell the person what came of a press, each kind in its own way; in a `quiet` place nobody else."""
    if pressed.follow_up is FollowUp.BETTER:
        await interaction.response.send_modal(_form(pressed.reply_id, texts))
    elif pressed.follow_up is FollowUp.WHY:
        view = view_of(why_buttons(texts, pressed.reply_id))
        assert view is not None
        await interaction.response.send_message(texts("ask-why"), view=view, ephemeral=True)
    elif data.startswith(f"{Press.WHY}:"):
        await interaction.response.edit_message(content=pressed.notice, view=None)
    elif data.startswith(f"{Press.STOP}:") and pressed.notice == texts(STOPPED):
        await interaction.response.defer()  # the message itself says so
    elif pressed.shared:
        await _say(interaction, pressed.shared, ephemeral=quiet)
    else:
        await _say(interaction, pressed.notice, ephemeral=True)


async def _defer(interaction: discord.Interaction) -> None:
    """Tell the person that something comes, for them alone."""
    with suppress(discord.DiscordException, aiohttp.ClientError, OSError):
        await interaction.response.defer(ephemeral=True, thinking=True)


async def _whisper(interaction: discord.Interaction, text: str) -> None:
    """Tell the person alone, whatever was said before."""
    with suppress(discord.DiscordException, aiohttp.ClientError, OSError):
        await _say(interaction, text, ephemeral=True)


async def _say(interaction: discord.Interaction, text: str, *, ephemeral: bool) -> None:
    """Answer an interaction, or say more where it is answered, in as many messages as it takes."""
    nobody = discord.AllowedMentions.none()
    for part in split(text, DiscordOutlet.limit):
        if interaction.response.is_done():
            await interaction.followup.send(part, ephemeral=ephemeral, allowed_mentions=nobody)
        else:
            await interaction.response.send_message(part, ephemeral=ephemeral, allowed_mentions=nobody)


def _form(reply_id: int, texts: Texts) -> discord.ui.Modal:
    form = discord.ui.Modal(title=texts("better-title"), timeout=None, custom_id=f"{Press.BETTER}:{reply_id}")
    field = discord.ui.TextInput[discord.ui.Modal](
        style=discord.TextStyle.paragraph, max_length=_MOST_TYPED, custom_id="text"
    )
    form.add_item(discord.ui.Label(text=texts("better-label"), component=field))
    form.stop()  # dealt with by its data, as the buttons are
    return form
