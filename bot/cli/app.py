"""The command `quotesmith` and its entry point; the commands themselves stand in the modules beside this one."""

from __future__ import annotations

import sys

import typer

from bot.cli import data, doctor, models, serving
from bot.cli.session import FAILED, is_of_output, leave_quietly, show_error, show_unexpected
from bot.errors import QuotesmithError

app = typer.Typer(
    name="quotesmith",
    help="A quote and chat bot with a small language model of its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serving.run)
app.command()(serving.quote)
app.command()(serving.chat)
app.add_typer(models.app, name="model")
app.add_typer(data.app, name="data")
app.command()(doctor.doctor)


def main() -> None:
    """Run what was typed, and end the process: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    sys.excepthook = show_unexpected
    command = typer.main.get_command(app)
    try:
        command()
    except QuotesmithError as error:
        show_error(error)
        sys.exit(FAILED)
    except BrokenPipeError:
        leave_quietly()
        sys.exit(FAILED)
    except OSError as error:
        if not is_of_output(error):
            raise
        show_error(QuotesmithError(f"The output cannot be written ({error.strerror})."))
        leave_quietly()
        sys.exit(FAILED)
