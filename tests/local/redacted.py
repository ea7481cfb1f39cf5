from google.protobuf import text_format
from google.protobuf.message import Message
from payorch.v1 import sensitivity_pb2


def redacted(message: Message) -> str:
    """Return the message as indented text with every field marked sensitive replaced."""
    shown = type(message)()
    shown.CopyFrom(message)
    hidden: list[str] = []
    _clear(shown, "", hidden)
    lines = ["  " + line for line in text_format.MessageToString(shown).splitlines()]
    lines += [f"  # {path}: not shown" for path in hidden]
    return "\n".join(lines)


def _clear(message: Message, path: str, hidden: list[str]) -> None:
    for field, value in message.ListFields():
        name = path + field.name
        marked = field.GetOptions().Extensions[sensitivity_pb2.sensitivity]
        if marked != sensitivity_pb2.SENSITIVITY_UNSPECIFIED:
            message.ClearField(field.name)  # type: ignore[arg-type] # any field of any message
            hidden.append(name)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for child in value if field.is_repeated else (value,):
                _clear(child, f"{name}.", hidden)
