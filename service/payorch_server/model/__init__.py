"""Values and errors that every package uses; standard library only."""
