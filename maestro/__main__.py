"""Entry point of the `maestro` command."""

from maestro.cli.app import run


def main() -> None:
    """Run the command line."""
    run()


if __name__ == "__main__":
    main()
