import pytest

from segcube.importers.write import plain_text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nnUNetTrainer", "nnUNetTrainer"),
        ("model_fold0.safetensors", "model_fold0.safetensors"),
        ("https://doi.org/10.1/a_b#c", "https://doi.org/10.1/a_b#c"),
        ("a\n\n# Licence: mine", "a # Licence: mine"),
        ("# Licence", "\\# Licence"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("12) item", "12\\) item"),
        ("3d_fullres", "3d_fullres"),
        ("a | b", "a \\| b"),
        ("[text](https://x)", "\\[text\\](https://x)"),
        ("![image](x)", "!\\[image\\](x)"),
        ("<script>", "\\<script\\>"),
        ("**bold** _it_ `code` ~~gone~~", "\\*\\*bold\\*\\* \\_it\\_ \\`code\\` \\~\\~gone\\~\\~"),
        ("\x1b[31mred", "\\\\x1b\\[31mred"),
        ("a\u202eb\x00", "a\\\\u202eb\\\\x00"),
        ("a\u2028b\x85c", "a b c"),
        ("\udc80", "\\\\udc80"),
        ("", ""),
    ],
)
def test_a_text_is_one_line_that_markdown_shows_as_it_stands(text, line):
    assert plain_text(text) == line


def test_a_long_text_is_cut():
    assert plain_text("x" * 10_000) == "x" * 500 + "..."
