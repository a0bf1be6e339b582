"""The journal of a calendar: a record of each committed command, in a directory, from which the calendar is made again."""
