"""boto3's transfers, and those by CRT as awscli 2 has them.

``python -P bench/s3peer.py classic|crt up|down|list FOLDER PREFIX``
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import botocore.session
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

BUCKET = "bench"
AT_ONCE = 16


def main() -> None:
    kind, verb, folder, prefix = sys.argv[1:]
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    names = sorted(os.listdir(folder)) if verb == "up" else []
    if verb != "up":
        names = [one["Key"].removeprefix(prefix) for page in pages for one in page["Contents"]]
    if verb == "list":
        return
    pairs = [(os.path.join(folder, name), prefix + name) for name in names]
    (_move_by_crt if kind == "crt" else _move)(s3, verb, pairs)


def _move(s3: Any, verb: str, pairs: list[tuple[str, str]]) -> None:
    def move(pair: tuple[str, str]) -> None:
        path, key = pair
        if verb == "up":
            s3.upload_file(path, BUCKET, key)
        else:
            s3.download_file(BUCKET, key, path)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(move, pairs))


def _move_by_crt(s3: Any, verb: str, pairs: list[tuple[str, str]]) -> None:
    session, endpoint = botocore.session.get_session(), s3.meta.endpoint_url
    words = {"region_name": s3.meta.region_name, "endpoint_url": endpoint}
    client = create_s3_crt_client(
        region=s3.meta.region_name,
        crt_credentials_provider=BotocoreCRTCredentialsWrapper(
            session.get_credentials()
        ).to_crt_credentials_provider(),
        use_ssl=endpoint.startswith("https"),
        verify=os.environ.get("AWS_CA_BUNDLE"),
    )
    serializer = BotocoreCRTRequestSerializer(session, words)
    with CRTTransferManager(client, serializer) as manager:
        for path, key in pairs:
            if verb == "up":
                manager.upload(path, BUCKET, key)
            else:
                manager.download(BUCKET, key, path)


if __name__ == "__main__":
    main()
