"""The moto server, with a fix for events of multipart uploads.

S3 sends one event when a multipart upload is completed. moto 5.2 sends two, the first as if by `PutObject`.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from moto.s3.models import S3Backend
from moto.server import main

put_object = S3Backend.put_object


@functools.wraps(put_object)
def put_object_without_multipart_event(*args: Any, **kwargs: Any) -> Any:
    """Calls `put_object` without an event for a multipart upload; its caller sends the event of the completion."""
    if kwargs.get("multipart") is not None:
        kwargs["disable_notification"] = True
    return put_object(*args, **kwargs)


S3Backend.put_object = put_object_without_multipart_event  # type: ignore[method-assign]

if __name__ == "__main__":
    main(sys.argv[1:])
