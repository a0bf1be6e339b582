"""``python -m bookcore``, for where the command is not on the path."""

from bookcore.cli import main

main()
