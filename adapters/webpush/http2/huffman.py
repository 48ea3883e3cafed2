"""The Huffman code of header strings (RFC 7541, section 5.2 and appendix B), read an octet at a time."""

from typing import Final, Self

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

_EOS: Final = 256
_ROOT: Final = 1
_MAX_PADDING: Final = 0xFF  # a path of seven ones

Leaves = dict[int, int]
"""The symbol at the end of each path. A path is a one followed by the bits of the code so far."""


class _Node(dict[int, tuple[bytes, "_Node"]]):
    """An inner node of the code's tree: for an octet read there, the symbols it ends and the node it leads to.

    An entry is worked out when it is first asked for. There are 256 nodes, so a hostile peer can fill 65,536 entries
    and no more; real headers use a few hundred.
    """

    __slots__ = ("_leaves", "_nodes", "path")

    def __init__(self, path: int, leaves: Leaves, nodes: dict[int, Self]) -> None:
        super().__init__()
        self.path = path
        self._leaves = leaves
        self._nodes = nodes
        nodes[path] = self

    def __missing__(self, octet: int) -> tuple[bytes, "_Node"]:
        path, symbols = self.path, bytearray()
        for shift in range(7, -1, -1):
            path = path << 1 | octet >> shift & 1
            symbol = self._leaves.get(path)
            if symbol == _EOS:
                raise ValueError("the end-of-string symbol within a string")
            if symbol is not None:
                symbols.append(symbol)
                path = _ROOT
        node = self._nodes.get(path) or _Node(path, self._leaves, self._nodes)
        self[octet] = entry = (bytes(symbols), node)
        return entry


class Huffman:
    """A decoder whose tables grow with what it reads; no state between strings."""

    def __init__(self) -> None:
        codes = zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)
        leaves = {1 << length | code: symbol for symbol, (code, length) in enumerate(codes)}
        self._root = _Node(_ROOT, leaves, {})

    def decode(self, coded: bytes) -> bytes:
        """The string. ValueError: an end-of-string symbol, or padding other than at most seven ones."""
        node, symbols = self._root, []
        for octet in coded:
            text, node = node[octet]
            symbols.append(text)
        path = node.path
        if path > _MAX_PADDING or path & path + 1:
            raise ValueError("a string that ends within a symbol")
        return b"".join(symbols)
