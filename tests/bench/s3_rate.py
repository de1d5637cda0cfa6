"""How fast films come from a bucket: one by one and read ahead, from an S3 server on this machine.

    python -m tests.bench.s3_rate [--films 200] [--kilobytes 200] [--latency-ms 30]

The server (moto) answers each request after the given time, as a bucket elsewhere does.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer

from cxrscan.scanner.sources.remote import RemotePath, read_ahead
from cxrscan.scanner.sources.walk import find_images


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=200)
    parser.add_argument("--kilobytes", type=int, default=200)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    options = parser.parse_args()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    application = server._server.app  # type: ignore[union-attr]

    def slowly(environment: dict[str, Any], start: Any) -> Any:
        time.sleep(options.latency_ms / 1e3)
        return application(environment, start)

    server._server.app = slowly  # type: ignore[union-attr]
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    bucket = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
    bucket.create_bucket("films", "us-east-1")
    for number in range(options.films):
        bucket.put_object("films", f"{number:05}.png", os.urandom(options.kilobytes * 1000))
    for how in ("listing", "one by one", "read ahead"):
        start = time.perf_counter()
        sources = list(find_images([RemotePath("s3://films")]))
        if how != "listing":
            start = time.perf_counter()
            n_bytes = sum(
                len(source.path.read_bytes()) for source in (read_ahead(sources) if "ahead" in how else sources)
            )
            assert n_bytes == options.films * options.kilobytes * 1000
        sys.stdout.write(f"{how:10} {options.films / (time.perf_counter() - start):8.1f} films/s\n")
    server.stop()


if __name__ == "__main__":
    main()
