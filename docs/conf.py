"""Sphinx: Markdown through MyST, warnings as errors (`make docs`)."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # autodoc imports the package from here, not installed

project = "runctl"
author = "the runctl contributors"
copyright = author
release = import_module("runctl.model").VERSION

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
nitpick_ignore_regex = [("py:.*", r"(?!runctl).*")]

html_theme = "furo"
html_title = f"runctl {release}"
