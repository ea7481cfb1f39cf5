"""The contract of the emulator as one OpenAPI 3.1 document: what it takes, and every form its answers have."""

from zuora_emulator.openapi.document import OPENAPI_PATH, document, openapi_endpoint

__all__ = ["OPENAPI_PATH", "document", "openapi_endpoint"]
