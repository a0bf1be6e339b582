"""Values: keys, spans, records, terms and errors, with no behaviour that needs a calendar.

Imports nothing else of bookcore.
"""
