"""Stand-ins for the standard-library names that pickles use for plain containers."""

from __future__ import annotations

from typing import Any

from ghbench.checkpoints.records import Allowed, Budget, Global, Record, refusal

_KEY_TYPES = (str, bytes, int, float, bool, type(None))
_LONGEST_KEY = 1_000
_LONGEST_TUPLE = 16
_SMALL = 2**20


def checked_key(key: Any, budget: Budget, members: int) -> Any:
    """Check a dictionary key or set member: a short plain value or a short flat tuple of them.

    Hashing a tuple nested a million times deep would overflow the stack, and a tuple is hashed anew each time.

    Args:
        key: The key.
        budget: Charged with the comparisons that the key may cost.
        members: Size of the container that it enters.

    Raises:
        DataError: It is something else, or too long.
    """
    if type(key) not in (*_KEY_TYPES, tuple):
        raise refusal(f"a dictionary key or set member of type {type(key).__name__}")
    parts = key if type(key) is tuple else (key,)
    if len(parts) > _LONGEST_TUPLE or any(type(part) in (str, bytes) and len(part) > _LONGEST_KEY for part in parts):
        raise refusal("a dictionary key or set member that is too long")
    if not all(type(part) in _KEY_TYPES for part in parts):
        raise refusal("a dictionary key or set member that is nested")
    if type(key) in (tuple, float) or (type(key) is int and not 0 <= key < _SMALL):
        # Python hashes numbers without a secret, so a file can give every key the same hash.
        budget.spend_steps(1 + members)
    return key


def _dictionary(budget: Budget, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if not arguments:
        return {}
    pairs = arguments[0]
    if len(arguments) != 1 or not isinstance(pairs, (list, dict)):
        raise refusal("a dictionary not made from pairs")
    # One list must not become a thousand dictionaries free of charge.
    budget.spend_parts(len(pairs))
    if isinstance(pairs, dict):
        return dict(pairs)
    result: dict[Any, Any] = {}
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise refusal("a dictionary not made from pairs")
        result[checked_key(pair[0], budget, len(result))] = pair[1]
    return result


def _set(budget: Budget, arguments: tuple[Any, ...]) -> set[Any]:
    if not arguments:
        return set()
    if len(arguments) != 1 or not isinstance(arguments[0], (list, tuple)):
        raise refusal("a set not made from a list")
    budget.spend_parts(len(arguments[0]))
    return {checked_key(item, budget, len(arguments[0])) for item in arguments[0]}


def _encode_latin1(budget: Budget, arguments: tuple[Any, ...]) -> bytes:
    # Protocol 2 writes bytes as text in latin-1; any other codec (zlib, for instance) is a trick.
    if len(arguments) != 2 or arguments[1] not in ("latin1", "latin-1") or not isinstance(arguments[0], str):
        raise refusal("_codecs.encode of something other than text to latin1")
    budget.spend_bytes(len(arguments[0]))
    return arguments[0].encode("latin1")


def _bytes(_budget: Budget, arguments: tuple[Any, ...]) -> bytes:
    # `bytes(n)` would allocate n zeros; pickles contain only the empty call.
    if arguments:
        raise refusal("bytes made from a number or an object")
    return b""


def _reconstruct(budget: Budget, arguments: tuple[Any, ...]) -> Any:
    # Protocols 0 and 1 write `copyreg._reconstructor(class, base, base_state)` for a plain object.
    if len(arguments) != 3 or not isinstance(arguments[0], Global) or not isinstance(arguments[1], Global):
        raise refusal("copyreg._reconstructor with unusual arguments")
    made, base, state = arguments
    if made.call is None or made.name.startswith("copy"):
        raise refusal(f"an object of {made.name}")
    if base.name in ("builtins.object", "__builtin__.object") and state is None:
        return made.call(budget, ())
    if base.name in ("builtins.dict", "__builtin__.dict") and isinstance(state, dict):
        return made.call(budget, (state,))
    raise refusal(f"copyreg._reconstructor of {made.name} on {base.name}")


def _namespace(_budget: Budget, arguments: tuple[Any, ...]) -> Record:
    if arguments:
        raise refusal("argparse.Namespace with arguments")
    return Record("argparse.Namespace")


CONTAINERS: Allowed = {
    "collections.OrderedDict": _dictionary,
    "_codecs.encode": _encode_latin1,
    "builtins.set": _set,
    "__builtin__.set": _set,
    "builtins.bytes": _bytes,
    "__builtin__.bytes": _bytes,
    "builtins.dict": _dictionary,
    "__builtin__.dict": _dictionary,
    "builtins.object": None,
    "__builtin__.object": None,
    "copyreg._reconstructor": _reconstruct,
    "copy_reg._reconstructor": _reconstruct,
}

EASY_DICT: Allowed = {
    "dnnlib.util.EasyDict": _dictionary,
    "dnnlib.EasyDict": _dictionary,
}

NAMESPACE: Allowed = {"argparse.Namespace": _namespace}
