def ignore(*_arguments: object) -> None:
    """Do nothing: the default of callbacks that not every composition needs."""
