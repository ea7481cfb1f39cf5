"""Takes the import of buf/validate/validate.proto out of an image; the bytes of the rules stay in the options.

Importers of our messages then need no `buf` package, and the service can still read the rules. It runs as a
program of its own because a process that has imported the rules would write other bytes.
"""

import sys
from pathlib import Path

from google.protobuf import descriptor_pb2

RULES = "buf/validate/validate.proto"

if __name__ == "__main__":
    image = descriptor_pb2.FileDescriptorSet.FromString(Path(sys.argv[1]).read_bytes())
    kept = descriptor_pb2.FileDescriptorSet()
    for file in image.file:
        if file.name == RULES:
            continue
        if RULES in file.dependency:
            if file.public_dependency or file.weak_dependency:
                sys.exit(f"{file.name} has public or weak imports, whose numbers this tool would break.")
            file.dependency.remove(RULES)
        kept.file.append(file)
    Path(sys.argv[2]).write_bytes(kept.SerializeToString())
