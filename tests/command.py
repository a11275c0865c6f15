"""The command, run in this process."""

from typer.testing import CliRunner

from benign.cli.application import app
from benign.errors import BenignError


def benign(*arguments):
    """In this process: exit status, what a subcommand prints, and the error that `main` prints."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(done.exception, BenignError):
        return 2, done.stdout, str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr
