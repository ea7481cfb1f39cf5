"""Writes buf/validate/validate.proto and its imports, as descriptors, out of the pinned protovalidate wheel.

Taking the rules from the wheel keeps a vendored copy out of the tree and the network out of the build.
"""

import sys
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from protovalidate._gen.buf.validate import validate_pb

if __name__ == "__main__":
    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb._DESC.proto.to_binary())  # noqa: SLF001 - the wheel has no public name for it
    Path(sys.argv[1]).write_bytes(files.SerializeToString())
