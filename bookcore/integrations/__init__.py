"""Integrations with other libraries, one file each; a library is imported when it is used."""
