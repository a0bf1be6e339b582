"""``python -m bookcore.cli``, for where the command is not on the path."""

from bookcore.cli import main

main()
