-- Wireshark and tshark: dissects the frames that `gpiomux capture` writes. The fields are those of gpiomux-wire(7).
--
-- Copy it into the personal plugins folder (Help > About Wireshark > Folders), or name it once:
--     tshark -X lua_script:gpiomux.lua -r FILE.pcapng
--
-- Streams are followed in both directions, records cut by the end of a frame put together, packets made of their
-- records and handed to the dissectors of IP and Ethernet. A capture that begins within a session is followed from the
-- first data frame on that consists of whole records.

local gpiomux = Proto("gpiomux", "gpiomux wire protocol")

local MODES = { [1] = "eth", [2] = "net_hdr", [3] = "raw" }
local KINDS = { [1] = "hello", [2] = "data", [3] = "acknowledgement", [4] = "probe" }
local PLACES = { [0] = "middle", [1] = "first", [2] = "last", [3] = "whole" }
local PACKET_HEADER_BYTES, RECORD_HEADER_BYTES, MOST_PIECE_BYTES = 8, 3, 509
local HIGHEST_FLAGS = 15
local WINDOW_BYTES = 24576
local PROBE_HEADER_BYTES = 21
local HELLO_BYTES = 37

local f = {
    kind = ProtoField.uint8("gpiomux.kind", "Kind", base.DEC, KINDS, 0xF0),
    flags = ProtoField.uint8("gpiomux.flags", "Flags", base.HEX, nil, 0x0F),
    version = ProtoField.uint8("gpiomux.version", "Version"),
    mode = ProtoField.uint8("gpiomux.mode", "Mode", base.DEC, MODES),
    mtu = ProtoField.uint16("gpiomux.mtu", "MTU"),
    reader = ProtoField.uint64("gpiomux.reader", "Protocol id that the sender reads", base.HEX),
    writer = ProtoField.uint64("gpiomux.writer", "Protocol id that the sender writes", base.HEX),
    epoch = ProtoField.uint64("gpiomux.epoch", "Epoch of the sender", base.HEX),
    peer_epoch = ProtoField.uint64("gpiomux.peer_epoch", "Epoch of the peer that was heard last", base.HEX),
    position = ProtoField.uint32("gpiomux.position", "Position of the first byte"),
    acknowledgement = ProtoField.uint16("gpiomux.acknowledgement", "Acknowledgement: position expected next"),
    data = ProtoField.bytes("gpiomux.data", "Bytes of the stream"),
    range_position = ProtoField.uint16("gpiomux.range.position", "Position of a range that has arrived"),
    range_length = ProtoField.uint16("gpiomux.range.length", "Its length"),
    record = ProtoField.none("gpiomux.record", "Record"),
    record_flags = ProtoField.uint8("gpiomux.record.flags", "Flags", base.HEX),
    record_place = ProtoField.uint8("gpiomux.record.place", "Piece of its packet", base.DEC, PLACES, 0x03),
    record_lane = ProtoField.uint8("gpiomux.record.lane", "Lane", base.DEC, nil, 0x0C),
    record_length = ProtoField.uint16("gpiomux.record.length", "Length of the piece"),
    record_piece = ProtoField.bytes("gpiomux.record.piece", "Piece"),
    packet_mark = ProtoField.uint32("gpiomux.packet.mark", "Netfilter mark", base.HEX),
    packet_length = ProtoField.uint16("gpiomux.packet.length", "Length"),
    packet_protocol = ProtoField.uint8("gpiomux.packet.protocol", "Protocol"),
    packet_qos = ProtoField.uint8("gpiomux.packet.qos", "DSCP"),
    raw_protocol = ProtoField.uint16("gpiomux.packet.raw_protocol", "Protocol number", base.HEX),
    number = ProtoField.uint32("gpiomux.probe.number", "Number"),
    received = ProtoField.uint32("gpiomux.probe.received", "Right frames received"),
    damaged_count = ProtoField.uint32("gpiomux.probe.damaged", "Damaged frames received"),
    pattern_bits = ProtoField.uint32("gpiomux.probe.pattern_bits", "Bits of patterns compared"),
    wrong_bits = ProtoField.uint32("gpiomux.probe.wrong_bits", "Wrong ones among them"),
    body = ProtoField.bytes("gpiomux.probe.body", "Pattern between zero bytes"),
    damage = ProtoField.string("gpiomux.damage", "Damage"),
    line = ProtoField.bytes("gpiomux.line", "What came"),
    rest = ProtoField.bytes("gpiomux.unknown", "Bytes of a later version"),
}
gpiomux.fields = {}
for _, field in pairs(f) do
    table.insert(gpiomux.fields, field)
end

local e = {
    damaged = ProtoExpert.new("gpiomux.damaged", "Damaged frame", expert.group.CHECKSUM, expert.severity.ERROR),
    unknown = ProtoExpert.new("gpiomux.unknown_kind", "Frame of an unknown kind or length", expert.group.UNDECODED,
        expert.severity.WARN),
    again = ProtoExpert.new("gpiomux.again", "Sent again", expert.group.SEQUENCE, expert.severity.NOTE),
    gap = ProtoExpert.new("gpiomux.gap", "Bytes before these have not been captured", expert.group.SEQUENCE,
        expert.severity.NOTE),
    no_records = ProtoExpert.new("gpiomux.no_records", "The stream is no stream of records", expert.group.PROTOCOL,
        expert.severity.ERROR),
}
gpiomux.experts = { e.damaged, e.unknown, e.again, e.gap, e.no_records }

local direction_of = Field.new("frame.packet_flags_direction")
local description_of = Field.new("frame.interface_description")
-- What capture says in epb_flags of a frame that is none, in the words of the counters.
local DAMAGES = {
    { Field.new("frame.packet_flags_crc_error"), "crc" },
    { Field.new("frame.packet_flags_packet_too_error"), "length" },
    { Field.new("frame.packet_flags_packet_too_short_error"), "length" },
    { Field.new("frame.packet_flags_symbol_error"), "framing" },
}

-- Streams -------------------------------------------------------------------------------------------------------------

-- One for each direction: `expected` position of the next byte (nil: not in step), `bytes` of a record that is not
-- whole yet, `lanes` with packets that are not, `ahead` frames beyond a gap by position, `hello` the last one heard.
local streams
-- By frame number what following the streams has found, because Wireshark asks for frames again in any order.
local found

function gpiomux.init()
    streams, found = {}, {}
end

local function forget(stream)
    stream.expected, stream.bytes, stream.lanes, stream.ahead = nil, "", {}, {}
end

local function stream_of(direction)
    if not streams[direction] then
        streams[direction] = {}
        forget(streams[direction])
    end
    return streams[direction]
end

local function number(text, at, size)
    local value = 0
    for i = at, at + size - 1 do
        value = value * 256 + text:byte(i)
    end
    return value
end

-- Takes whole records off the front of `bytes`; returns them and the rest, or nil if these are no records.
local function records_in(bytes)
    local records, at = {}, 1
    while #bytes - at + 1 >= RECORD_HEADER_BYTES do
        local flags, length = bytes:byte(at), number(bytes, at + 1, 2)
        if flags > HIGHEST_FLAGS or length > MOST_PIECE_BYTES then
            return nil
        end
        local last = at + RECORD_HEADER_BYTES + length - 1
        if last > #bytes then
            break
        end
        table.insert(records, { at = at - 1, flags = flags, piece = bytes:sub(at + RECORD_HEADER_BYTES, last) })
        at = last + 1
    end
    return records, bytes:sub(at)
end

-- Whether these bytes are certainly whole records, so that a stream can be followed from here.
local function are_records(bytes)
    local records, rest = records_in(bytes)
    if not records or rest ~= "" then
        return false
    end
    for _, record in ipairs(records) do
        if record.piece == "" then
            return false
        end
    end
    return true
end

-- Appends a piece to its lane; returns the packet if that ends it.
local function add_piece(stream, record)
    local lane = math.floor(record.flags / 4)
    if record.flags % 2 == 1 then
        stream.lanes[lane] = ""
    end
    if not stream.lanes[lane] then
        return nil
    end
    stream.lanes[lane] = stream.lanes[lane] .. record.piece
    if math.floor(record.flags / 2) % 2 == 0 then
        return nil
    end
    local packet = stream.lanes[lane]
    stream.lanes[lane] = nil
    return packet
end

-- Appends bytes that follow those before, and notes the records and packets that they end.
local function append(stream, bytes, result)
    bytes = stream.bytes .. bytes
    local records, rest = records_in(bytes)
    if not records then
        result.no_records = true
        forget(stream)
        return
    end
    stream.bytes = rest
    result.bytes = (result.bytes or "")
    for _, record in ipairs(records) do
        record.at = record.at + #result.bytes
        table.insert(result.records, record)
        local packet = add_piece(stream, record)
        if packet then
            table.insert(result.packets, packet)
        end
    end
    result.bytes = result.bytes .. bytes:sub(1, #bytes - #rest)
end

-- Takes what is kept beyond a gap once the gap is filled.
local function take_ahead(stream, modulus, result)
    local position, bytes = next(stream.ahead)
    while position do
        local behind = (stream.expected - position) % modulus
        if behind < modulus / 2 then
            stream.ahead[position] = nil
            if behind < #bytes then
                append(stream, bytes:sub(behind + 1), result)
                if not stream.expected then
                    return
                end
                stream.expected = (position + #bytes) % modulus
            end
            position, bytes = next(stream.ahead)
        else
            position, bytes = next(stream.ahead, position)
        end
    end
end

-- Follows a stream by one data frame.
local function follow(stream, position, bytes, datagram)
    local modulus = datagram and 4294967296 or 65536
    local result = { records = {}, packets = {} }
    local beyond = stream.expected and (position - stream.expected) % modulus
    if beyond and beyond ~= 0 and (datagram or (beyond > WINDOW_BYTES and beyond < modulus - WINDOW_BYTES)) then
        result.gap = true -- datagrams, or frames that were not captured
        forget(stream)
    end
    if not stream.expected then
        if position ~= 0 and not are_records(bytes) then
            return result
        end
        stream.expected = position
    end
    beyond = (position - stream.expected) % modulus
    if beyond ~= 0 and beyond < modulus / 2 then
        result.gap = true
        stream.ahead[position] = bytes
        return result
    end
    local known = (stream.expected - position) % modulus
    result.again = known > 0
    if known < #bytes then
        append(stream, bytes:sub(known + 1), result)
        if stream.expected then
            stream.expected = (position + #bytes) % modulus
            take_ahead(stream, modulus, result)
        end
    end
    return result
end

-- Frames --------------------------------------------------------------------------------------------------------------

local function mode_of(stream)
    if stream.mode then
        return stream.mode
    end
    local description = description_of()
    return description and description.value:match("mode ([%w_]+)")
end

local function is_datagram(stream)
    if stream.datagram ~= nil then
        return stream.datagram
    end
    local description = description_of()
    return description ~= nil and description.value:match("delivery datagram") ~= nil
end

local function dissect_hello(tvb, pinfo, tree, stream)
    tree:add(f.version, tvb(1, 1))
    tree:add(f.mode, tvb(2, 1))
    tree:add(f.mtu, tvb(3, 2))
    tree:add(f.reader, tvb(5, 8))
    tree:add(f.writer, tvb(13, 8))
    tree:add(f.epoch, tvb(21, 8))
    tree:add(f.peer_epoch, tvb(29, 8))
    if tvb:len() > HELLO_BYTES then
        tree:add(f.rest, tvb(HELLO_BYTES))
    end
    if not pinfo.visited then
        local epochs = tvb:raw(21, 16)
        if stream.hello and stream.hello ~= epochs then -- a session begins, and every position counts anew
            forget(stream)
        end
        stream.hello = epochs
        stream.mode = MODES[tvb(2, 1):uint()]
        stream.datagram = tvb(0, 1):uint() % 2 == 1
    end
    pinfo.cols.info = string.format("hello %s, mtu %d, epoch %s, hears %s", MODES[tvb(2, 1):uint()] or "unknown mode",
        tvb(3, 2):uint(), tvb(21, 8):bytes():tohex(true), tvb(29, 8):bytes():tohex(true))
end

local function dissect_ack(tvb, pinfo, tree)
    tree:add(f.acknowledgement, tvb(1, 2))
    local words = { string.format("ack %d", tvb(1, 2):uint()) }
    for at = 3, tvb:len() - 1, 4 do
        local start, length = tvb(at, 2):uint(), tvb(at + 2, 2):uint()
        tree:add(f.range_position, tvb(at, 2))
        tree:add(f.range_length, tvb(at + 2, 2))
        table.insert(words, string.format("%d:%d", start, (start + length) % 65536))
    end
    pinfo.cols.info = table.concat(words, " ")
end

local function dissect_probe(tvb, pinfo, tree)
    local at = 1
    for _, field in ipairs({ f.number, f.received, f.damaged_count, f.pattern_bits, f.wrong_bits }) do
        tree:add(field, tvb(at, 4))
        at = at + 4
    end
    tree:add(f.body, tvb(at))
    local reply = tvb(0, 1):uint() % 2 == 1
    pinfo.cols.info = string.format("probe%s %d", reply and " reply" or "", tvb(1, 4):uint())
end

-- Lets a dissector of Wireshark's own show a packet. If it finds it malformed it has said so, and we go on.
local function hand_on(name, range, pinfo, root)
    local dissector = Dissector.get(name)
    pcall(dissector.call, dissector, range:tvb(), pinfo, root)
end

local function show_packet(packet, mode, pinfo, tree, root)
    local tvb = ByteArray.new(packet, true):tvb("Packet")
    if tvb:len() < PACKET_HEADER_BYTES or tvb(4, 2):uint() ~= tvb:len() - PACKET_HEADER_BYTES then
        tree:add_tvb_expert_info(e.no_records, tvb(), "Packet whose length is not the one told")
        return
    end
    local header = tree:add(gpiomux, tvb(0, PACKET_HEADER_BYTES),
        string.format("Packet of %d bytes, mark 0x%x", tvb(4, 2):uint(), tvb(0, 4):uint()))
    header:add(f.packet_mark, tvb(0, 4))
    header:add(f.packet_length, tvb(4, 2))
    header:add(f.packet_protocol, tvb(6, 1))
    header:add(f.packet_qos, tvb(7, 1))
    local length = tvb:len() - PACKET_HEADER_BYTES
    if length == 0 then
        return
    end
    local payload = tvb(PACKET_HEADER_BYTES)
    if mode == "eth" then
        hand_on("eth_withoutfcs", payload, pinfo, root)
    elseif mode == "net_hdr" then
        hand_on(math.floor(payload(0, 1):uint() / 16) == 6 and "ipv6" or "ip", payload, pinfo, root)
    elseif mode == "raw" and length > 2 then
        header:add(f.raw_protocol, payload(0, 2))
        local ethertypes = DissectorTable.get("ethertype")
        pcall(ethertypes.try, ethertypes, payload(0, 2):uint(), payload(2):tvb(), pinfo, root)
    else
        hand_on("data", payload, pinfo, root)
    end
end

local function show_records(result, tree)
    local tvb = ByteArray.new(result.bytes, true):tvb("Records")
    for _, record in ipairs(result.records) do
        local length = #record.piece
        local shown = tree:add(f.record, tvb(record.at, RECORD_HEADER_BYTES + length))
        shown:add(f.record_flags, tvb(record.at, 1))
        shown:add(f.record_place, tvb(record.at, 1))
        shown:add(f.record_lane, tvb(record.at, 1))
        shown:add(f.record_length, tvb(record.at + 1, 2))
        if length > 0 then
            shown:add(f.record_piece, tvb(record.at + RECORD_HEADER_BYTES, length))
        end
        shown:append_text(string.format(": %s, lane %d, %d bytes", PLACES[record.flags % 4],
            math.floor(record.flags / 4), length))
    end
end

local function dissect_data(tvb, pinfo, tree, stream, root)
    local position, bytes = tvb(1, 2):uint(), tvb:len() - 5
    local result, datagram = found[pinfo.number], nil
    if result then
        datagram = result.datagram
    else
        datagram = is_datagram(stream)
    end
    if datagram then
        position = position + tvb(3, 2):uint() * 65536
        tree:add(f.position, tvb(1, 4), position)
    else
        tree:add(f.position, tvb(1, 2))
        tree:add(f.acknowledgement, tvb(3, 2))
    end
    tree:add(f.data, tvb(5))
    if not result then
        result = follow(stream, position, tvb:raw(5), datagram)
        result.mode, result.datagram = mode_of(stream), datagram
        found[pinfo.number] = result
    end
    pinfo.cols.info = string.format("data %d, %d bytes", position, bytes)
    if not datagram then
        pinfo.cols.info:append(string.format(", ack %d", tvb(3, 2):uint()))
    end
    for name, info in pairs({ again = e.again, gap = e.gap, no_records = e.no_records }) do
        if result[name] then
            tree:add_proto_expert_info(info)
        end
    end
    if result.bytes then
        show_records(result, tree)
    end
    local info = tostring(pinfo.cols.info)
    for _, packet in ipairs(result.packets) do
        show_packet(packet, result.mode, pinfo, tree, root)
    end
    pinfo.cols.info = info .. (#result.packets > 0 and string.format(", %d packet(s)", #result.packets) or "")
end

local function damage_of()
    for _, flag in ipairs(DAMAGES) do
        local set = flag[1]()
        if set and set.value then
            return flag[2]
        end
    end
end

function gpiomux.dissector(tvb, pinfo, root)
    if tvb:len() == 0 then
        return 0
    end
    pinfo.cols.protocol = "gpiomux"
    local tree = root:add(gpiomux, tvb())
    local damage = damage_of()
    if damage then
        tree:add(f.damage, damage):set_generated()
        tree:add(f.line, tvb())
        tree:add_proto_expert_info(e.damaged, "Damaged frame: " .. damage)
        pinfo.cols.info = string.format("damaged frame (%s), %d bytes", damage, tvb:len())
        return tvb:len()
    end
    local direction = direction_of()
    local stream = stream_of(direction and direction.value or 0)
    local kind, length = math.floor(tvb(0, 1):uint() / 16), tvb:len()
    tree:add(f.kind, tvb(0, 1))
    tree:add(f.flags, tvb(0, 1))
    if kind == 1 and length >= HELLO_BYTES then
        dissect_hello(tvb, pinfo, tree, stream)
    elseif kind == 2 and length > 5 then
        dissect_data(tvb, pinfo, tree, stream, root)
    elseif kind == 3 and length >= 3 and (length - 3) % 4 == 0 then
        dissect_ack(tvb, pinfo, tree)
    elseif kind == 4 and length > PROBE_HEADER_BYTES then
        dissect_probe(tvb, pinfo, tree)
    else
        if length > 1 then
            tree:add(f.rest, tvb(1))
        end
        tree:add_proto_expert_info(e.unknown)
        pinfo.cols.info = string.format("frame of an unknown kind, %d bytes", length)
    end
    return length
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, gpiomux)
