"""The slash commands as Discord shows them, in every language; what they do is the bot's business."""

from __future__ import annotations

from typing import Any, Protocol

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bot.chat.messages import Style
from bot.platforms.catalogue import ENGLISH, Texts, best_language
from bot.platforms.commands import Action, Command, styled_quote

_MOST_CHARS = 6_000  # of an option, by Discord
_CHOICE_CHARS = 100


class Commanded(Protocol):
    """Who carries the commands out."""

    async def request(self, interaction: discord.Interaction, command: Command, *, private: bool) -> None:
        """The model is to answer."""
        ...

    async def errand(self, interaction: discord.Interaction, command: Command) -> None:
        """No model is needed."""
        ...

    async def suggest(self, interaction: discord.Interaction, typed: str) -> list[str]:
        """Keywords for what was typed so far."""
        ...

    async def model_names(self, interaction: discord.Interaction) -> list[str]:
        """The models, for operators."""
        ...


class CatalogueTranslator(app_commands.Translator):
    """Discord asks for each text in each of its languages; the text's name is its key in the catalogue."""

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        """The text in that language, None where the catalogue does not speak it."""
        language = best_language(locale.value)
        name = string.extras.get("name")
        if name is None or language == ENGLISH:
            return None
        return Texts(language)(name)[:_CHOICE_CHARS]


def said(name: str) -> locale_str:
    """A text of the catalogue, in English, with what its translation needs."""
    return locale_str(Texts(ENGLISH)(name), name=name)


def add_commands(tree: app_commands.CommandTree[discord.Client], bot: Commanded) -> None:
    """Put all commands on the tree, usable in servers, in private, and by whoever installed the bot for themselves."""
    _add_requests(tree, bot)
    for action in (Action.NEW, Action.HELP, Action.PRIVACY, Action.FAVORITES, Action.STATS):
        tree.add_command(_plain(bot, action))
    for action, words in (
        (Action.CONSENT, ("on", "off")),
        (Action.MYDATA, ("show", "export")),
        (Action.FORGET, ("me",)),
        (Action.ANNOUNCE, ("on", "off")),
    ):
        group = _group(action)
        for word in words:
            group.add_command(_plain(bot, action, word))
        tree.add_command(group)
    tree.add_command(_model(bot))


def _add_requests(tree: app_commands.CommandTree[discord.Client], bot: Commanded) -> None:
    styles = [app_commands.Choice(name=said(f"style-{style}"), value=str(style)) for style in Style]

    @tree.command(name=Action.QUOTE, description=said("command-quote"))
    @app_commands.describe(keyword=said("option-keyword"), style=said("option-style"), private=said("option-private"))
    @app_commands.choices(style=styles)
    async def quote(
        interaction: discord.Interaction,
        keyword: app_commands.Range[str, 1, _MOST_CHARS],
        style: str | None = None,
        private: bool = False,
    ) -> None:
        command = Command(Action.QUOTE, keyword, Style(style)) if style else styled_quote(keyword)
        await bot.request(interaction, command, private=private)

    @quote.autocomplete("keyword")
    async def keywords(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return _choices(await bot.suggest(interaction, typed))

    @tree.command(name=Action.COMPARE, description=said("command-compare"))
    @app_commands.describe(text=said("option-compared"), private=said("option-private"))
    async def compare(
        interaction: discord.Interaction, text: app_commands.Range[str, 1, _MOST_CHARS], private: bool = False
    ) -> None:
        await bot.request(interaction, Command(Action.COMPARE, text), private=private)

    @tree.command(name=Action.CHAT, description=said("command-chat"))
    @app_commands.describe(text=said("option-text"), private=said("option-private"))
    async def chat(
        interaction: discord.Interaction, text: app_commands.Range[str, 1, _MOST_CHARS], private: bool = False
    ) -> None:
        await bot.request(interaction, Command(Action.CHAT, text), private=private)


def _plain(bot: Commanded, action: Action, word: str = "") -> app_commands.Command[Any, ..., None]:
    """A command that has no options; with a word, one of a group."""
    described = said(f"command-{action}-{word}" if word else f"command-{action}")

    async def run(interaction: discord.Interaction) -> None:
        await bot.errand(interaction, Command(action, word))

    return app_commands.Command(name=word or str(action), description=described, callback=run)


def _group(action: Action) -> app_commands.Group:
    return app_commands.Group(name=str(action), description=said(f"command-{action}"))


def _model(bot: Commanded) -> app_commands.Group:
    group = _group(Action.MODEL)
    group.add_command(_plain(bot, Action.MODEL, "list"))

    @group.command(name="use", description=said("command-model-use"))
    @app_commands.describe(name=said("option-name"))
    async def use(interaction: discord.Interaction, name: app_commands.Range[str, 1, _CHOICE_CHARS]) -> None:
        await bot.errand(interaction, Command(Action.MODEL, f"use {name}"))

    @use.autocomplete("name")
    async def names(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return _choices([name for name in await bot.model_names(interaction) if typed.lower() in name.lower()])

    return group


def _choices(values: list[str]) -> list[app_commands.Choice[str]]:
    short = [value for value in values if 0 < len(value) <= _CHOICE_CHARS]
    return [app_commands.Choice(name=value, value=value) for value in short[:25]]
