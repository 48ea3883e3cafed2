"""The Huffman code of header strings (RFC 7541, section 5.2 and appendix B), read an octet at a time."""

from typing import Final

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

_EOS: Final = 256
_ROOT: Final = 1
_BEYOND: Final = 1 << 30 | (1 << 30) - 1
"""The path of the end-of-string symbol, and of whatever follows it in a string that has it."""
_MAX_PADDING: Final = 0xFF  # a path of seven ones

Node = list[tuple[bytes, "Node", int]]
"""What each octet read at a path does: the symbols it ends, where the next octet is read, and the path to there.

A path is a one followed by the bits since the last symbol.
"""


class Huffman:
    """A decoder whose tables grow with what it reads; nothing passes from one string to the next.

    A node is worked out, in some 100 µs, when a string first comes there: addresses and dates come to some 70 nodes.
    There are 257, whatever a hostile peer sends.
    """

    def __init__(self) -> None:
        codes = zip(REQUEST_CODES[:_EOS], REQUEST_CODES_LENGTH[:_EOS], strict=True)
        self._symbols = {1 << length | code: bytes((symbol,)) for symbol, (code, length) in enumerate(codes)}
        self._root: Node = []
        self._nodes = {_ROOT: self._root}

    def decode(self, coded: bytes) -> bytes:
        """The string. ValueError: an end-of-string symbol, or padding other than at most seven ones."""
        node, path, symbols = self._root, _ROOT, []
        for octet in coded:
            if not node:
                self._work_out(node, path)
            text, node, path = node[octet]
            symbols.append(text)
        if path > _MAX_PADDING or path & path + 1:
            raise ValueError("no Huffman code, or not all of it")
        return b"".join(symbols)

    def _work_out(self, node: Node, path: int) -> None:
        reached = [(b"", path)]
        for _ in range(8):
            reached = [self._bit(text, above << 1 | bit) for text, above in reached for bit in (0, 1)]
        for text, path_left in reached:
            left = min(path_left, _BEYOND)
            node.append((text, self._nodes.setdefault(left, []), left))

    def _bit(self, text: bytes, path: int) -> tuple[bytes, int]:
        symbol = self._symbols.get(path)
        return (text, path) if symbol is None else (text + symbol, _ROOT)
