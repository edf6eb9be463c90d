"""The documents that the settings of a bucket are, and what S3 answers while there are none."""

from __future__ import annotations

from typing import Any

UNSET: dict[str, tuple[str, str]] = {
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "lifecycle": (
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    "object-lock": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "ownershipControls": (
        "OwnershipControlsNotFoundError",
        "The bucket ownership controls were not found",
    ),
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "publicAccessBlock": (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    "replication": (
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    "tagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "website": (
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
}
_ENCRYPTION_RULE = {
    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
    "BucketKeyEnabled": False,
}
# The outermost element of each document, and its members while nothing is set.
ROOTS: dict[str, tuple[str, dict[str, Any]]] = {
    "accelerate": ("AccelerateConfiguration", {}),
    "cors": ("CORSConfiguration", {}),
    "encryption": ("ServerSideEncryptionConfiguration", {"Rule": _ENCRYPTION_RULE}),
    "lifecycle": ("LifecycleConfiguration", {}),
    "logging": ("BucketLoggingStatus", {}),
    "notification": ("NotificationConfiguration", {}),
    "object-lock": ("ObjectLockConfiguration", {}),
    "ownershipControls": ("OwnershipControls", {}),
    "publicAccessBlock": ("PublicAccessBlockConfiguration", {}),
    "replication": ("ReplicationConfiguration", {}),
    "requestPayment": ("RequestPaymentConfiguration", {"Payer": "BucketOwner"}),
    "tagging": ("Tagging", {}),
    "versioning": ("VersioningConfiguration", {}),
    "website": ("WebsiteConfiguration", {}),
    "analytics": ("AnalyticsConfiguration", {}),
    "intelligent-tiering": ("IntelligentTieringConfiguration", {}),
    "inventory": ("InventoryConfiguration", {}),
    "metrics": ("MetricsConfiguration", {}),
}
LISTS = {
    "analytics": "ListBucketAnalyticsConfigurationResult",
    "intelligent-tiering": "ListBucketIntelligentTieringConfigurationsOutput",
    "inventory": "ListInventoryConfigurationsResult",
    "metrics": "ListMetricsConfigurationsResult",
}
NAMED = tuple(LISTS)
"""Of these there are several in a bucket, each with an id."""
