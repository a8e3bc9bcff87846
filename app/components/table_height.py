"""How high a table is: as high as its rows, up to a limit above which it scrolls. No empty rows at the end."""

from typing import Literal

ROW_PX = 31
"""Streamlit's at our base font of 14 px; only the choice hangs on it, not the height."""


def fitted(row_count: int, most_px: int) -> int | Literal["content"]:
    """For `height` of st.dataframe and st.data_editor."""
    return "content" if (1 + row_count) * ROW_PX <= most_px else most_px
