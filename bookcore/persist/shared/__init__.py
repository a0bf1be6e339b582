"""Calendars shared by processes: each has all in memory and decides there, and a database puts the changes into one order.

    a command    its turn -> the lock of the database -> read what is new -> apply -> decide -> append and commit -> unlock
                 one thread   one process                `-------- under the calendar's lock --------'
    a question   reads the present state in memory; nothing waits for the database
    a follower   a thread: what others have appended -> apply, under the calendar's lock -> subscribers

A command waits for other processes before it takes the calendar's lock, so questions go on meanwhile. It is decided on the
newest state there is, and no other process appends until it has its place in the order; no change counts before. The
calendar's lock is held while the change is written and committed, which waits for no other process. Threads that wait share
a commit, see `turns`; where that fails, or where a command was decided in the hope that no other process appends, it is
decided a second time.

A transaction keeps the lock of the database from its beginning to its end, because its block cannot be run again. A what-if
takes none. While a block is open no record of others is applied.

A record is one command or transaction, as in a directory (`bookcore.persist.journal.records`). Its *place* is its position,
1, 2, 3 ..., and its mark, a checksum over all records up to it. Calendars at one place have the same history, so the same
state; a process that finds another mark at its position has followed another history, and says so.

Holds that have run out are released in memory by the first question that finds them, as everywhere. That is provisional: it
is in no record, subscribers do not receive it, and it is undone before records of others are applied, or a command is
decided. The command releases them anew, in its own record, by the clock at that moment.
"""
