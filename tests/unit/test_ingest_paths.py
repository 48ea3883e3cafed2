"""What is done quickly for readings is done as the slow way does it."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonpath import JSONPathEnvironment

from alertd.ingest.readers import json_in, paths
from alertd.ingest.readers.received import Fault

_NAMES = ("a", "b", "level", "x y", "", "0", "è")
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(_NAMES)
)
_DOCUMENTS = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)
_STEPS = st.one_of(
    st.sampled_from([".a", ".b", ".level", "['a']", '["b"]', "['x y']", "['']", "['0']", "['è']"]),
    st.integers(0, 3).map(lambda index: f"[{index}]"),
    st.sampled_from(["[-1]", "[*]", ".*", "[0:2]", "..a", "['a','b']", "[?@.a]", "['\\u0061']"]),
)


@example("0", [])
@example('{"a": 1}', ["..a"])
@given(_DOCUMENTS, st.lists(_STEPS, max_size=4))
def test_a_path_that_is_walked_leads_where_the_library_leads(document: Any, steps: list[str]) -> None:
    rest = "".join(steps)
    led = JSONPathEnvironment(strict=True).compile(f"$[0]{rest}").findall([document])  # a bare text it reads as JSON
    assert list(paths.every(f"${rest}", document)) == led


@pytest.mark.parametrize("path", ["$", "$.level", "$.uplink.decoded['level m'][0]", '$["a"]', "$.a_1.B2"])
def test_plain_paths_are_walked(path: str) -> None:
    assert paths.steps(path) is not None


@pytest.mark.parametrize("path", ["$[-1]", "$.*", "$..a", "$['a','b']", "$[?@.a]", r"$['\u0061']", "$[0:1]"])
def test_others_are_the_library_s(path: str) -> None:
    assert paths.steps(path) is None


_TEXTS = st.sampled_from(
    [
        '"a"',
        '"b"',
        r'"a\":"',
        '"12:30"',
        '"e999"',
        '"' + "1" * 50 + '"',
        '" :"',
        "1",
        "1e5",
        "-1.5E-07",
        "1e100",
        "0." + "1" * 45,
        "null",
        "[]",
        "{}",
    ]
)
_BLANKS = st.sampled_from(["", " ", "\n", "\t"])


@given(st.lists(st.tuples(st.sampled_from(['"a"', '"b"', r'"a\":"', '"c"']), _BLANKS, _BLANKS, _TEXTS), max_size=4))
@example([('"a"', " ", "", "1"), ('"a"', " ", "", "1"), (r'"a\":"', "", "", '"x"')])
def test_a_glance_never_lets_pass_what_a_closer_look_refuses(members: list[tuple[str, str, str, str]]) -> None:
    payload = (
        "{" + ",".join(f"{name}{before}:{after}{value}" for name, before, after, value in members) + "}"
    ).encode()
    names = [json.loads(name) for name, *_ in members]
    absurd = any(value in ("1e100", "0." + "1" * 45) for *_, value in members)
    if absurd or len(set(names)) < len(names):
        with pytest.raises(Fault):
            json_in.load(payload, limit=10_000)
    else:
        assert json_in.load(payload, limit=10_000) == json.loads(payload)
