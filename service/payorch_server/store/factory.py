from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import Clock
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import Store
from payorch_server.store.settings import StoreSettings


def open_store(settings: StoreSettings, *, password: Secret[str] | None, clock: Clock) -> Store:
    """Return the store of the settings; nothing is connected yet."""
    if settings.kind == "memory":
        return MemoryStore(clock=clock, max_entries=settings.max_entries)
    from payorch_server.store.redis import RedisStore  # noqa: PLC0415 - a service without Redis need not load its client

    return RedisStore(settings, password=password)
