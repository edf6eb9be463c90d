"""Asking the price list. On AWS it answers in three regions only; here, in any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.pricing.products import NAMES, Product, products
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_FORMAT = "aws_v1"
_SPECIAL = ("productFamily", "termType")


@operation("pricing", "DescribeServices")
def describe_services(call: Call) -> dict[str, Any]:
    """List the services that the list knows prices of, with the names to filter by."""
    _check_format(call)
    wanted = call.get("ServiceCode")
    found = [_service(code) for code in NAMES if wanted in (None, code)]
    if not found:
        raise AwsError("InvalidParameterException", f"Invalid Service Code: {wanted}")
    return {"FormatVersion": _FORMAT, **_page(call, "Services", found, "ServiceCode")}


def _service(code: str) -> Record:
    names = {name for product in _of(code) for name in product.attributes}
    return {"ServiceCode": code, "AttributeNames": sorted(names | set(_SPECIAL))}


@operation("pricing", "GetAttributeValues")
def get_attribute_values(call: Call) -> dict[str, Any]:
    """List the values that an attribute has."""
    _check_service(call)
    name = call.get("AttributeName").lower()
    values = {product.values().get(name) for product in _of(call.get("ServiceCode"))}
    found = [{"Value": value} for value in sorted(one for one in values if one)]
    if not found:
        words = f"Invalid Attribute Name: {call.get('AttributeName')}"
        raise AwsError("InvalidParameterException", words)
    return _page(call, "AttributeValues", found, "Value", high=10000)


@operation("pricing", "GetProducts")
def get_products(call: Call) -> dict[str, Any]:
    """List the products that match every filter, each as a JSON text."""
    _check_format(call)
    _check_service(call)
    found = {product.sku: product for product in _of(call.get("ServiceCode"))}
    for wanted in call.get("Filters", []):
        found = {sku: one for sku, one in found.items() if _matches(one, wanted)}
    answer = _page(call, "PriceList", [{"_Sku": sku} for sku in found], "_Sku")
    answer["PriceList"] = [found[one["_Sku"]].document() for one in answer["PriceList"]]
    return {"FormatVersion": _FORMAT, **answer}


def _matches(product: Product, wanted: Mapping[str, str]) -> bool:
    value = product.values().get(wanted["Field"].lower())
    several = [one.strip() for one in wanted["Value"].split(",")]
    kind = wanted["Type"]
    if kind == "NONE_OF":
        return value not in several
    if value is None:
        return False
    if kind == "ANY_OF":
        return value in several
    return wanted["Value"] in value if kind == "CONTAINS" else value == wanted["Value"]


def _of(service: str) -> list[Product]:
    return [product for product in products() if product.service == service]


def _check_service(call: Call) -> None:
    if call.get("ServiceCode") not in NAMES:
        words = f"Invalid Service Code: {call.get('ServiceCode')}"
        raise AwsError("InvalidParameterException", words)


def _check_format(call: Call) -> None:
    if call.get("FormatVersion", _FORMAT) != _FORMAT:
        raise AwsError("InvalidParameterException", "Invalid Format Version: only aws_v1 is known")


def _page(
    call: Call, member: str, found: list[Record], sort_by: str, high: int = 100
) -> dict[str, Any]:
    return page(
        call,
        member,
        found,
        sort_by=sort_by,
        low=1,
        high=high,
        default=100,
    )
