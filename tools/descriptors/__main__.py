"""Writes into build/clients what gateways beside gRPC need; `make descriptors` calls it.

payorch.binpb     the protos with comments, their imports and the types of error details, for Envoy, grpcurl and buf
soft.binpb        the same without the import of the validation rules, to generate code from
strict_json.lua   clients/envoy/strict_json.lua with the fields of every request
openapi.yaml      OpenAPI of JSON over HTTP through Envoy
"""

from typing import Final

import generate
from descriptors.openapi import openapi
from descriptors.strict_json import strict_json

# DiagnosticsService is reached over gRPC only.
_SERVICE: Final = "payorch.v1.PaymentOrchestrationService"
_ERRORS: Final = ("google/rpc/status.proto", "google/rpc/error_details.proto")


def main() -> None:
    """Write everything."""
    out = generate.ROOT / "build/clients"
    out.mkdir(parents=True, exist_ok=True)
    ours = sorted(str(path.relative_to(generate.PROTOS)) for path in generate.PROTOS.rglob("*.proto"))
    generate.build_images(out, [*ours, *_ERRORS])
    image = out / "payorch.binpb"
    (out / "strict_json.lua").write_text(strict_json(image.read_bytes(), _SERVICE), encoding="utf-8")
    (out / "openapi.yaml").write_text(openapi(image, _SERVICE), encoding="utf-8")
    written = "payorch.binpb, soft.binpb, strict_json.lua and openapi.yaml"
    print(f"descriptors: {written} written to {out.relative_to(generate.ROOT)}")


if __name__ == "__main__":
    main()
