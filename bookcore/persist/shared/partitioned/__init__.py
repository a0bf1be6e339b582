"""A calendar in partitions, of which each has an order, a lock and a journal of its own, in one PostgreSQL database.

    berlin       the directory: a calendar of the ids of all resources, in order of registration
    berlin/0     the resources whose ids hash to 0, with all that belongs to them: a shared calendar like any other
    berlin/1     ...

A call about one resource goes to its partition; a question about all asks each partition and merges the answers. A change of
several is one transaction of the database, in which their heads are locked in ascending order.

    routing        from the id of a resource to the number of its partition
    division       what the database knows of the division; which ids bookings have in all partitions
    parts          the parts of such a calendar
    joint          one transaction of the database for the blocks of several parts
    merging        bookings, slots and digests of several partitions as one
    registration   the resources of all partitions in order of registration
    selection      sets of resources of several partitions
    choosing       which resource of them `Calendar.book_any` takes
    calendar       `PartitionedCalendar`
    opening        from an address to such a calendar
    copying        copies into partitions and out of them
"""
