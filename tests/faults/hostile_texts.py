"""YAML and JSON texts that cost a careless reader minutes, gigabytes or a stack overflow."""

from __future__ import annotations


def _bomb(first: str, link: str) -> str:
    """Return nine lines, each of which refers nine times to the one before."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} {link % ','.join([f'*a{i - 1}'] * 9)}" for i in range(1, 9)]
    return "\n".join(lines) + "\n"


YAML: dict[str, tuple[str, str]] = {
    # name: text, and words of the error
    "aliases": (_bomb("[x]", "[%s]"), "25,000 values"),
    "merges": (_bomb("{k: 1}", "{<<: [%s]}"), "25,000 values"),
    "deep_aliases": (
        "".join(f"- &a{i} {'[' * 40}*a{i - 1}{']' * 40}\n" for i in range(1, 99)).replace("*a0", "x"),
        "64 levels",
    ),
    "an_alias_of_itself": ("a: &a [*a]\n", "undefined alias"),
    "40,000_brackets": ("[" * 40_000, "64 levels"),
    "3,000_brackets": ("[" * 3_000 + "]" * 3_000, "64 levels"),
    "40,000_dashes": ("- " * 40_000, "64 levels"),
    "40,000_braces": ("{a: " * 40_000, "64 levels"),
    "tag_directives": ("".join(f"%TAG !a{i}! b\n" for i in range(60_000)) + "---\na\n", "%TAG"),
    "many_documents": ("---\n" * 200_000, "second document|another document|25,000"),
    "many_values": ("[" + "{}," * 300_000 + "]", "25,000 values"),
    "many_keys": ("".join(f"k{i}: 1\n" for i in range(90_000)), "25,000 values"),
    "many_wrong_values": ("stages: [" + "1," * 24_000 + "]", "valid dictionary|unknown key|missing"),
    "a_long_key": ("? " + "k" * 1_000_000 + "\n: 1\n", "k{60}"),
    "a_long_number": ("a: " + "1" * 5_000, "5,000 characters"),
    "a_long_number_of_base_60": ("a: 1" + ":1" * 400_000, "800,001 characters"),
    "a_large_file": (" " * 3_000_000, "more than 1 MiB"),
    "a_key_twice": ("name: a\nname: b\n", "duplicate key 'name', first in line 1"),
    "a_thirteenth_month": ("name: 2001-13-45\n", "not a valid timestamp"),
    "python": ("name: !!python/object/apply:os.abort []\n", "could not determine a constructor"),
}

JSON: dict[str, tuple[str, str]] = {
    "100,000_brackets": ("[" * 100_000, "64 levels"),
    "900_brackets": ("[" * 900 + "]" * 900, "64 levels"),
    "many_values": ("[" + "{}," * 3_000_000 + "{}]", "1,000,000 values"),
    "a_long_number": ('{"a": ' + "1" * 5_000 + "}", "5,000 digits"),
    "a_key_twice": ('{"profile": "a", "profile": "b"}', "duplicate key 'profile'"),
    "a_large_file": (" " * 2**26, "more than 32 MiB"),
}
