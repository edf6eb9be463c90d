"""Writes every page of docs/reference that is made from the code."""

from __future__ import annotations

from scripts import (
    api_reference,
    cli_reference,
    config_reference,
    errors_reference,
    records_reference,
)

PAGES = {
    one.PAGE: one.page
    for one in (
        api_reference,
        cli_reference,
        config_reference,
        errors_reference,
        records_reference,
    )
}

if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")
