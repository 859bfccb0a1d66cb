"""The two tc BPF programs of an interface, as instructions; pure, loads nothing.

They share with the reader and writer of the interface one piece of memory, the only value of an array map: words of
32 bits, the *slot*, whether its writer is *writing*, how many packets *reached* the program (two words), the number of
marks *learned*, and those marks.

*Ingress* gives a packet that is written to the device the mark that its writer left in the slot, and counts it. What is
written and does not get there is what XDP has kept from the stack, for which the kernel has no counter; others come
here without having been written, such as the copies of multicast packets that a sender on this machine gets back.

*Egress* lets the mark ride in an accelerated 802.1ad tag, which the kernel inserts at byte 12 as the packet is read:

    tag control 1..0xefff     the mark itself
    0xf000..0xfffd            the learned mark with this number
    0xffff                    escape: a prefix of 16 bytes stands first, the mark in its first 4, native byte order
    0                         no mark, but the packet has an 802.1ad or accelerated tag of its own, or looks like it

The program learns marks by itself, when it first meets them. The escape would do without, but the kernel refuses to
lengthen a packet beyond 16 KB (SKB_MAX_ALLOC), and before segmentation most of TCP's packets are. So it is left for
marks that find no place any more and for packets of less than 12 bytes, which only mode `raw` can have: they have no
byte 12, the kernel would lose them, and the prefix makes them long enough. A packet without a mark stays as it is.
"""

from __future__ import annotations

import sys

from gpiomux.netdev.bpf_assembler import Assembler, Map, Reg, Stack

TAG_PROTOCOL = 0x88A8
"""802.1ad service tag."""
TAG_AT = 12
"""Where the kernel inserts it: behind the addresses of an Ethernet frame, and for TUN there as well."""
FIRST_LEARNED = 0xF000
"""Tag control of the first mark that was learned."""
ESCAPE = 0xFFFF
PREFIX_BYTES = 16

MEMORY_BYTES = 16384
SLOT, WRITING = (0, 1) if sys.byteorder == "little" else (1, 0)
REACHED, LEARNED, MARKS = 2, 4, 5
"""Places in the memory, in words."""
IS_WRITING = 1 << 32
"""Of slot and writing as one number of 64 bits: a writer sets both in one step."""
_CAPACITY = MEMORY_BYTES // 4 - MARKS

_LENGTH, _MARK, _VLAN_PRESENT = 0, 8, 20  # offsets in struct __sk_buff (linux/bpf.h)
_MAP_LOOKUP, _MAP_UPDATE, _STORE_BYTES, _VLAN_PUSH, _LOAD_BYTES, _CHANGE_HEAD = 1, 2, 9, 18, 26, 43  # helpers
_NEXT, _DROP = -1, 2  # the same for TCX (TCX_NEXT, TCX_DROP) and classifiers (TC_ACT_UNSPEC, TC_ACT_SHOT)


def _network_order(number: int) -> int:
    return int.from_bytes(number.to_bytes(2, "big"), sys.byteorder)


def ingress_program(memory_fd: int) -> bytes:
    """The program that sets the mark of a written packet from the slot."""
    code = Assembler()
    code.map_value(Reg.R2, memory_fd)
    code.load(Reg.R2, Reg.R2, SLOT * 4, 4)
    code.store_word(Reg.R1, _MARK, Reg.R2)
    code.map_value(Reg.R2, memory_fd)
    code.load(Reg.R3, Reg.R2, WRITING * 4, 4)
    code.jump_if(Reg.R3, "==", 0, "done")
    code.set(Reg.R3, 0)
    code.store_word(Reg.R2, WRITING * 4, Reg.R3)  # another that comes within the same write is not the written one
    code.set(Reg.R3, 1)
    code.add_to_double(Reg.R2, REACHED * 4, Reg.R3)
    code.label("done")
    code.finish(_NEXT)
    return code.assemble()


def egress_program(memory_fd: int, dictionary_fd: int) -> bytes:
    """The program that puts the mark of a leaving packet where its reader finds it.

    Args:
        memory_fd: the memory.
        dictionary_fd: a hash map from mark to tag control, used by the program alone.
    """
    packet, mark, control = Reg.R6, Reg.R7, Reg.R8
    code = Assembler()
    code.move(packet, Reg.R1)
    code.load(mark, packet, _MARK, 4)
    code.move(control, mark)
    code.jump_if(mark, "!=", 0, "marked")
    _choose_for_unmarked(code, packet)
    code.label("marked")
    code.load(Reg.R2, packet, _LENGTH, 4)
    code.jump_if(Reg.R2, "<", TAG_AT, "escape")
    code.jump_if(mark, "<", FIRST_LEARNED, "tag")
    _look_up_or_learn(code, mark, control, memory_fd, dictionary_fd)
    code.label("escape")
    code.set(control, ESCAPE)
    _tag(code, packet, mark, control)
    return code.assemble()


def _choose_for_unmarked(code: Assembler, packet: Reg) -> None:
    """Tag with 0 only what the reader could mistake for tagged, so that all else stays bit-identical."""
    code.load(Reg.R2, packet, _VLAN_PRESENT, 4)
    code.jump_if(Reg.R2, "!=", 0, "tag")
    code.call(_LOAD_BYTES, packet, TAG_AT, Stack(-8), 2)
    code.jump_if(Reg.R0, "!=", 0, "done")  # too short to be mistaken
    code.load(Reg.R2, Reg.R10, -8, 2)
    code.jump_if(Reg.R2, "==", _network_order(TAG_PROTOCOL), "tag")
    code.jump("done")


def _look_up_or_learn(code: Assembler, mark: Reg, control: Reg, memory_fd: int, dictionary_fd: int) -> None:
    """Go to `tag` with the number of the mark, or fall through where there is no place for it.

    Two CPUs that meet a mark at the same moment learn it twice; both numbers are right. The mark stands in the
    memory before its number can reach the reader.
    """
    code.store_word(Reg.R10, -4, mark)
    code.call(_MAP_LOOKUP, Map(dictionary_fd), Stack(-4))
    code.jump_if(Reg.R0, "==", 0, "learn")
    code.load(control, Reg.R0, 0, 4)
    code.jump("tag")
    code.label("learn")
    code.map_value(Reg.R9, memory_fd)
    code.load(Reg.R2, Reg.R9, LEARNED * 4, 4)  # looked at first, so that a full memory never counts round
    code.jump_if(Reg.R2, ">=", _CAPACITY, "escape")
    code.set(control, 1)
    code.fetch_add_word(Reg.R9, LEARNED * 4, control)
    code.jump_if(control, ">=", _CAPACITY, "escape")
    code.move(Reg.R2, control)
    code.shift_left(Reg.R2, 2)
    code.add(Reg.R9, Reg.R2)
    code.store_word(Reg.R9, MARKS * 4, mark)
    code.add_constant(control, FIRST_LEARNED)
    code.store_word(Reg.R10, -8, control)
    code.call(_MAP_UPDATE, Map(dictionary_fd), Stack(-4), Stack(-8), 0)
    code.jump("tag")


def _tag(code: Assembler, packet: Reg, mark: Reg, control: Reg) -> None:
    code.label("tag")
    code.call(_VLAN_PUSH, packet, _network_order(TAG_PROTOCOL), control)
    code.jump_if(Reg.R0, "!=", 0, "lost")
    code.jump_if(control, "!=", ESCAPE, "done")
    code.call(_CHANGE_HEAD, packet, PREFIX_BYTES, 0)
    code.jump_if(Reg.R0, "!=", 0, "lost")
    code.store_word(Reg.R10, -4, mark)
    code.call(_STORE_BYTES, packet, 0, Stack(-4), 4, 0)
    code.jump_if(Reg.R0, "!=", 0, "lost")
    code.label("done")
    code.finish(_NEXT)
    code.label("lost")
    code.finish(_DROP)
