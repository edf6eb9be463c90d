"""AWS's own descriptions of its services, as botocore carries them."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

# By the name that signs a request: the name of the model.
NAMES = {
    "ec2": "ec2",
    "ecr": "ecr",
    "iam": "iam",
    "pricing": "pricing",
    "servicequotas": "service-quotas",
    "ssm": "ssm",
    "sts": "sts",
}


@cache
def load_service(name: str) -> ServiceModel:
    """Load the model of a service, by the name that signs its requests."""
    description = Loader().load_service_model(NAMES[name], "service-2")
    return ServiceModel(description, NAMES[name])


@cache
def operations_of(service: str) -> tuple[str, ...]:
    """Return the names of a service's operations; also of S3, whose model is not needed else."""
    description = Loader().load_service_model(NAMES.get(service, service), "service-2")
    return tuple(description["operations"])


@cache
def load_operation(service: str, operation: str) -> OperationModel | None:
    """Return the model of an operation; None where the service has none of this name."""
    model = load_service(service)
    if operation not in model.operation_names:
        return None
    found: OperationModel = model.operation_model(operation)
    return found
