"""The moto server, mended where it differs from S3 in what Penstock sees.

S3 sends one event when a multipart upload is completed; moto 5.2 sends two, the first as if the object had been put.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from moto.s3.models import S3Backend
from moto.server import main

put_object = S3Backend.put_object


@functools.wraps(put_object)
def put_object_unheard_in_parts(*args: Any, **kwargs: Any) -> Any:
    """`put_object`, silent about an upload in parts: its completion is told by whoever calls this."""
    if kwargs.get("multipart") is not None:
        kwargs["disable_notification"] = True
    return put_object(*args, **kwargs)


S3Backend.put_object = put_object_unheard_in_parts  # type: ignore[method-assign]

if __name__ == "__main__":
    main(sys.argv[1:])
