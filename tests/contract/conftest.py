"""The local clouds that transports and providers are held to the contract on."""

from tests.localcloud.conftest import local_cloud, new_cloud

__all__ = ["local_cloud", "new_cloud"]
