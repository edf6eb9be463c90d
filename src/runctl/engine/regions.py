"""Where the buckets of a run's data and outputs are: a signature is good in one region alone."""

from __future__ import annotations

from contextlib import suppress

from runctl.engine.session import Session
from runctl.errors import RunctlError
from runctl.model.data import bucket_of
from runctl.model.spec import Spec


def find_regions(session: Session, spec: Spec) -> dict[str, str]:
    """Return the regions by bucket; what cannot be told is left to whoever reads or writes it."""
    urls = [one.url for one in spec.data]
    urls += [spec.published_to] if spec.published_to else []
    found: dict[str, str] = {}
    if not urls:
        return found
    from runctl.aws.far_bucket import bucket_region  # noqa: PLC0415 - boto3 takes its time

    for name in sorted({bucket_of(url) for url in urls}):
        with suppress(RunctlError):
            found[name] = bucket_region(session.account(), name)
    return found
