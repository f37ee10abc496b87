"""The schema as Python modules, made by grpcio-tools: what a peer that is not ours would have.

    from protos import fleet_pb2, fleet_pb2_grpc
"""

import hashlib
import importlib
import importlib.metadata
import os
import sys
import tempfile

import grpc_tools
from grpc_tools import protoc
from servers import CACHE, ROOT

FILES = sorted((ROOT / "proto/verifywise/v1").glob("*.proto"))


def build():
    """Kept by the hash of all files and of the generator, so that runs side by side do not disturb one another."""
    parts = [importlib.metadata.version("grpcio-tools").encode(), *(file.read_bytes() for file in FILES)]
    folder = CACHE / "protos" / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = tempfile.mkdtemp(dir=folder.parent)
        include = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
        arguments = [f"-I{ROOT / 'proto'}", f"-I{include}", f"--python_out={fresh}", f"--grpc_python_out={fresh}"]
        if protoc.main(["protoc", *arguments, *map(str, FILES)]) != 0:
            raise RuntimeError("the schema could not be made into Python modules")
        try:
            os.rename(fresh, folder)
        except OSError:  # another run was quicker
            pass
    return folder


sys.path.insert(0, str(build()))
for file in FILES:
    for kind in ("_pb2", "_pb2_grpc"):
        globals()[file.stem + kind] = importlib.import_module(f"verifywise.v1.{file.stem}{kind}")
