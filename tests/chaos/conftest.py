"""The local clouds of the tests that break them."""

from tests.localcloud.conftest import local_cloud, new_cloud

__all__ = ["local_cloud", "new_cloud"]
