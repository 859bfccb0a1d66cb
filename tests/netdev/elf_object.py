"""BPF objects as a compiler would make them, written by hand: a test needs no compiler of 500 MB.

Format: the ELF specification (gABI), and Documentation/bpf/llvm_reloc.rst in the kernel's source.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gpiomux.netdev.bpf_assembler import Assembler, Reg

EM_BPF = 247
_PROGBITS, _SYMTAB, _STRTAB, _NOBITS, _REL = 1, 2, 3, 8, 9
_WRITE, _ALLOC, _EXECUTE = 1, 2, 4
_GLOBAL_OBJECT, _GLOBAL_FUNCTION = 0x11, 0x12
_R_BPF_64_64 = 1
_MAP_BYTES = 40
"""Of five pointers, as which an object describes a map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One function in a section of its own."""

    name: str
    code: bytes
    section: str = "xdp"
    counter_at: int | None = None
    """Number of the instruction that takes the address of `counter`, a global variable; None: there is none."""


@dataclass(slots=True)
class _Section:
    name: str
    kind: int
    flags: int
    content: bytes
    link: int = 0
    info: int = 0
    entry_bytes: int = 0
    size_bytes: int = 0


def verdict(name: str, result: int, section: str = "xdp") -> Program:
    """A program that gives each packet the same verdict."""
    code = Assembler()
    code.finish(result)
    return Program(name=name, code=code.assemble(), section=section)


def counting(name: str, result: int) -> Program:
    """The same, and it counts in a global variable, which libbpf keeps in a map."""
    code = Assembler()
    code.map_value(Reg.R1, 0)
    code.set(Reg.R2, 1)
    code.fetch_add_word(Reg.R1, 0, Reg.R2)
    code.finish(result)
    return Program(name=name, code=code.assemble(), counter_at=0)


def elf_object(*programs: Program, licence: str = "GPL", pinned: str = "") -> bytes:
    """An object with some programs; `pinned` names a map that it wants to be pinned by its name."""
    sections = [_Section("", 0, 0, b"")]
    names, symbols = bytearray(b"\0"), bytearray(24)
    bss = len(programs) + 1
    for number, program in enumerate(programs, 1):
        sections.append(_Section(program.section, _PROGBITS, _ALLOC | _EXECUTE, program.code))
        symbols += struct.pack("<IBBHQQ", len(names), _GLOBAL_FUNCTION, 0, number, 0, len(program.code))
        names += program.name.encode() + b"\0"
    counter = len(symbols) // 24
    symbols += struct.pack("<IBBHQQ", len(names), _GLOBAL_OBJECT, 0, bss, 0, 8)
    names += b"counter\0"
    sections.append(_Section(".bss", _NOBITS, _ALLOC | _WRITE, b"", size_bytes=8))
    sections.append(_Section("license", _PROGBITS, _ALLOC | _WRITE, licence.encode() + b"\0"))
    if pinned:
        symbols += struct.pack("<IBBHQQ", len(names), _GLOBAL_OBJECT, 0, len(sections), 0, _MAP_BYTES)
        names += pinned.encode() + b"\0"
        sections.append(_Section(".maps", _PROGBITS, _ALLOC | _WRITE, bytes(_MAP_BYTES)))
        sections.append(_Section(".BTF", _PROGBITS, 0, _types_of_map(pinned)))
    for number, program in enumerate(programs, 1):
        if program.counter_at is not None:
            entry = struct.pack("<QQ", program.counter_at * 8, counter << 32 | _R_BPF_64_64)
            sections.append(_Section(f".rel{program.section}", _REL, 0, entry, 0, number, 16))
    table = len(sections)
    for it in sections:
        it.link = table if it.kind == _REL else 0
    sections.append(_Section(".symtab", _SYMTAB, 0, bytes(symbols), table + 1, 1, 24))
    sections.append(_Section(".strtab", _STRTAB, 0, bytes(names)))
    return _laid_out(sections)


def _types_of_map(name: str) -> bytes:
    """What BTF (Documentation/bpf/btf.rst) says of an array with one number that is pinned by its name."""
    words = ("", "int", "type", "key", "value", "max_entries", "pinning", name, ".maps")
    at = {word: sum(len(before) + 1 for before in words[:number]) for number, word in enumerate(words)}
    integer, is_array, once = 1, 2, 4
    members = (("type", 3), ("key", 6), ("value", 6), ("max_entries", 5), ("pinning", 5))
    types = b"".join(
        (
            struct.pack("<4I", at["int"], 1 << 24, 4, 0x01000020),  # 1: int
            struct.pack("<6I", 0, 3 << 24, 0, integer, integer, 2),  # 2: int[2], that is BPF_MAP_TYPE_ARRAY
            struct.pack("<3I", 0, 2 << 24, is_array),  # 3: pointer to it
            struct.pack("<6I", 0, 3 << 24, 0, integer, integer, 1),  # 4: int[1]: one, and LIBBPF_PIN_BY_NAME
            struct.pack("<3I", 0, 2 << 24, once),  # 5: pointer to it
            struct.pack("<3I", 0, 2 << 24, integer),  # 6: pointer to int
            struct.pack("<3I", 0, 4 << 24 | len(members), _MAP_BYTES),  # 7: the map, a struct
            *(struct.pack("<3I", at[word], kind, 64 * place) for place, (word, kind) in enumerate(members)),
            struct.pack("<4I", at[name], 14 << 24, 7, 1),  # 8: a global variable of that
            struct.pack("<6I", at[".maps"], 15 << 24 | 1, _MAP_BYTES, 8, 0, _MAP_BYTES),  # 9: the section
        )
    )
    text = b"".join(word.encode() + b"\0" for word in words)
    return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(text)) + types + text


def _laid_out(sections: list[_Section]) -> bytes:
    sections.append(_Section(".shstrtab", _STRTAB, 0, b""))
    names, body, headers = bytearray(), bytearray(64), bytearray()
    starts = []
    for it in sections:
        starts.append(len(names))
        names += it.name.encode() + b"\0"
    sections[-1].content = bytes(names)
    for it, name in zip(sections, starts, strict=True):
        body += bytes(-len(body) % 8)
        size = it.size_bytes or len(it.content)
        headers += struct.pack(
            "<IIQQQQIIQQ", name, it.kind, it.flags, 0, len(body), size, it.link, it.info, 8, it.entry_bytes
        )
        body += it.content
    body += bytes(-len(body) % 8)
    header = struct.pack("<4s5B7x", b"\x7fELF", 2, 1, 1, 0, 0)
    count = len(sections)
    header += struct.pack("<HHIQQQIHHHHHH", 1, EM_BPF, 1, 0, 0, len(body), 0, 64, 0, 0, 64, count, count - 1)
    return header + bytes(body[64:]) + bytes(headers)
