"""The commands of a calendar, the state that they change, and the rules by which they decide."""
