"""Values and errors that every layer speaks in; standard library only."""
