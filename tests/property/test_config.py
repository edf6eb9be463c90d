"""The line of a key is found in any file, and any value that is set is read back."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runctl.config import load, set_value

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(texts, texts)
def test_what_is_set_is_read_back(first: str, second: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".runctl.toml"
        set_value(path, "run.env.FIRST", first)
        set_value(path, "run.env.SECOND", second)
        found = load(Path(folder), {}, {}, Path(folder))
        assert found.values.run.env == {"FIRST": first, "SECOND": second}
        assert found.origin("run.env.FIRST").line == 2


@given(st.dictionaries(st.sampled_from("ABC"), texts), st.lists(texts))
def test_what_is_shown_is_read_back(table: dict[str, str], items: list[str]) -> None:
    nowhere = Path("/nowhere")
    shown = load(None, {"run.env": table, "code.include": items}, {}, nowhere)
    flags = {key: shown.setting(key).text for key in ("run.env", "code.include")}
    again = load(None, flags, {}, nowhere)
    assert again.values == shown.values
