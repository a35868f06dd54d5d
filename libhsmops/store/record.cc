#include "libhsmops/store/record.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/wire.h"
#include "libhsmops/store/version_bytes.h"

namespace hsmops::store {
namespace {

using base::Digest;
using base::Error;
using base::ErrorCode;
using base::Reader;
using base::Result;
using base::SecretBytes;
using base::Writer;

constexpr std::uint32_t kHeadMagic = 0x4B48534D;   // "KHSM"
constexpr std::uint32_t kEpochMagic = 0x4B48534E;  // "KHSN"
constexpr std::uint8_t kTombstoneFlag = 1;
constexpr std::size_t kMaxSerialBytes = 64;

Error Corrupt(std::string_view what) { return {ErrorCode::kCorrupt, std::string(what)}; }

void Seal(Writer& out) {
  const Digest digest = base::Sha256(out.view());
  out.Raw(digest);
}

// The content without its closing SHA-256, or kCorrupt.
Result<base::ByteView> Unseal(base::ByteView bytes, Digest& digest, std::string_view what) {
  if (bytes.size() < digest.size()) return Corrupt(fmt::format("{} is too short", what));
  const base::ByteView content = bytes.first(bytes.size() - digest.size());
  digest = base::Sha256(content);
  if (!base::Equal(digest, bytes.last(digest.size())))
    return Corrupt(fmt::format("{}: its SHA-256 differs", what));
  return content;
}

// All keys of a secret in one canonical encoding, sorted by key.
constexpr std::size_t kPayloadKeyBytes = 2 + 4;  // the lengths of a key and of its value

SecretBytes EncodePayload(const Keys& keys) {
  Writer out;
  for (const auto& [key, value] : keys) {
    out.U16(static_cast<std::uint16_t>(key.size()));
    out.Raw(base::AsBytes(key));
    out.String(value.view());
  }
  return std::move(out).Take();
}

std::string ReadShortText(Reader& in) {
  const base::ByteView bytes = in.Raw(in.U16());
  return {bytes.begin(), bytes.end()};
}

void WriteShortText(Writer& out, std::string_view text) {
  out.U16(static_cast<std::uint16_t>(text.size()));
  out.Raw(base::AsBytes(text));
}

SecretBytes EncodeHead(const Head& head) {
  Writer out;
  out.U32(kHeadMagic);
  out.U8(kFormat);
  out.U8(head.tombstone ? kTombstoneFlag : 0);
  out.Raw(head.pool);
  WriteShortText(out, head.name);
  WriteVersion(out, head.version);
  out.U64(static_cast<std::uint64_t>(head.written_at.time_since_epoch().count()));
  out.U8(static_cast<std::uint8_t>(head.op_ids.size()));
  for (const OpId& id : head.op_ids) out.Raw(id);
  out.Raw(head.salt);
  out.U16(static_cast<std::uint16_t>(head.keys.size()));
  for (const std::string& key : head.keys) WriteShortText(out, key);
  out.U64(head.total_length);
  out.U32(static_cast<std::uint32_t>(head.parts.size()));
  for (const PartInfo& part : head.parts) {
    out.U32(part.length);
    out.Raw(part.sha256);
  }
  out.String(head.payload.view());
  Seal(out);
  return std::move(out).Take();
}

// Cuts the payload so that every object holds at most `max` bytes.
std::vector<SecretBytes> Cut(const SecretBytes& payload, std::size_t max) {
  std::vector<SecretBytes> parts;
  for (base::ByteView left = payload.view(); !left.empty();) {
    const std::size_t size = std::min(left.size(), max);
    parts.emplace_back(left.first(size));
    left = left.subspan(size);
  }
  return parts;
}

}  // namespace

bool Head::HasOpId(const OpId& id) const {
  return std::find(op_ids.begin(), op_ids.end(), id) != op_ids.end();
}

Record Record::Clone() const {
  Record copy;
  copy.head = head.Clone();
  for (const SecretBytes& part : parts) copy.parts.push_back(part.Clone());
  return copy;
}

std::size_t Record::bytes() const {
  std::size_t total = head.size();
  for (const SecretBytes& part : parts) total += part.size();
  return total;
}

Result<void> CheckKeys(const Keys& keys) {
  if (keys.size() > kMaxKeys)
    return Error(ErrorCode::kLimit,
                 fmt::format("{} keys, at most {} are allowed", keys.size(), kMaxKeys));
  std::size_t bytes = 0;
  for (const auto& [key, value] : keys) bytes += kPayloadKeyBytes + key.size() + value.size();
  if (bytes > kMaxSecretBytes) {
    return Error(ErrorCode::kLimit, fmt::format("{} bytes in all its keys, at most {} are allowed",
                                                bytes, kMaxSecretBytes));
  }
  return {};
}

Result<Record> Encode(Head& head, const Keys& keys, std::size_t max_object_bytes) {
  HSM_CHECK(head.op_ids.size() <= kKeptOpIds && head.name.size() <= kMaxNameBytes);
  HSM_RETURN_IF_ERROR(CheckKeys(keys));
  SecretBytes payload = EncodePayload(keys);
  head.keys.clear();
  for (const auto& [key, value] : keys) head.keys.push_back(key);
  head.total_length = payload.size();
  head.parts.clear();
  Record record;
  head.payload = std::move(payload);
  record.head = EncodeHead(head);
  if (record.head.size() > max_object_bytes) {
    record.parts = Cut(head.payload, max_object_bytes);
    head.payload = SecretBytes();
    for (const SecretBytes& part : record.parts) {
      head.parts.push_back({static_cast<std::uint32_t>(part.size()), base::Sha256(part.view())});
    }
    record.head = EncodeHead(head);
    if (record.head.size() > max_object_bytes || head.parts.size() > kMaxParts) {
      return Error(ErrorCode::kLimit,
                   fmt::format("{} bytes in {} keys are more than this token's objects of {} bytes "
                               "can hold as one secret",
                               head.total_length, keys.size(), max_object_bytes));
    }
  }
  std::copy(record.head.view().end() - 32, record.head.view().end(), head.digest.begin());
  return record;
}

Result<Head> DecodeHead(base::ByteView bytes) {
  Head head;
  HSM_TRY(const base::ByteView content, Unseal(bytes, head.digest, "head"));
  Reader in(content);
  if (in.U32() != kHeadMagic) return Corrupt("head: wrong magic");
  if (const std::uint8_t format = in.U8(); format != kFormat) {
    return Corrupt(fmt::format("head: format {} is not known to this version", format));
  }
  const std::uint8_t flags = in.U8();
  if ((flags & ~kTombstoneFlag) != 0) return Corrupt("head: unknown flags");
  head.tombstone = flags == kTombstoneFlag;
  head.pool = in.Array<16>();
  head.name = ReadShortText(in);
  head.version = ReadVersion(in);
  head.written_at = base::WallTime(std::chrono::microseconds(static_cast<std::int64_t>(in.U64())));
  const std::uint8_t op_ids = in.U8();
  if (op_ids > kKeptOpIds) return Corrupt("head: too many operation ids");
  for (int i = 0; i < op_ids; ++i) head.op_ids.push_back(in.Array<16>());
  head.salt = in.Array<16>();
  const std::uint16_t keys = in.U16();
  if (keys > kMaxKeys) return Corrupt("head: too many keys");
  for (int i = 0; i < keys && in.ok(); ++i) head.keys.push_back(ReadShortText(in));
  head.total_length = in.U64();
  const std::uint32_t parts = in.Count(36);
  if (parts > kMaxParts) return Corrupt("head: too many parts");
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < parts; ++i) {
    PartInfo part;
    part.length = in.U32();
    part.sha256 = in.Array<32>();
    sum += part.length;
    head.parts.push_back(part);
  }
  head.payload = SecretBytes(in.String());
  HSM_RETURN_IF_ERROR(in.Finish("head"));
  if (!SecretName::Parse(head.name).ok()) return Corrupt("head: the name is not one");
  if (head.total_length > kMaxSecretBytes || sum + head.payload.size() != head.total_length ||
      (parts > 0 && !head.payload.empty())) {
    return Corrupt("head: the lengths do not add up");
  }
  return head;
}

Result<Keys> DecodeKeys(const Head& head, const std::vector<SecretBytes>& parts) {
  if (parts.size() != head.parts.size()) return Corrupt("a part is missing");
  SecretBytes joined;
  joined.reserve(head.total_length);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].size() != head.parts[i].length ||
        base::Sha256(parts[i].view()) != head.parts[i].sha256) {
      return Corrupt(fmt::format("part {} is not what was written", i));
    }
    joined.Append(parts[i].view());
  }
  Reader in(parts.empty() ? head.payload.view() : joined.view());
  Keys keys;
  for (const std::string& expected : head.keys) {
    std::string key = ReadShortText(in);
    const base::ByteView value = in.String();
    if (!in.ok() || key != expected) return Corrupt("the payload does not match its head");
    keys.emplace(std::move(key), SecretBytes(value));
  }
  HSM_RETURN_IF_ERROR(in.Finish("payload"));
  if (keys.size() != head.keys.size()) return Corrupt("the payload names a key twice");
  return keys;
}

Result<Head> CheckRecord(const Record& record) {
  HSM_TRY(Head head, DecodeHead(record.head.view()));
  HSM_TRY(const Keys keys, DecodeKeys(head, record.parts));
  (void)keys;  // only that they decode
  return head;
}

SecretBytes EpochRecord::Encode() const {
  HSM_CHECK(serial.size() <= kMaxSerialBytes);
  Writer out;
  out.U32(kEpochMagic);
  out.U8(kFormat);
  out.Raw(pool);
  out.Raw(member);
  WriteShortText(out, serial);
  out.U64(epoch.counter);
  out.U64(epoch.nonce);
  out.U64(lsn);
  out.U64(sequence);
  out.Bool(primary);
  Seal(out);
  return std::move(out).Take();
}

Result<EpochRecord> EpochRecord::Decode(base::ByteView bytes) {
  Digest digest{};
  HSM_TRY(const base::ByteView content, Unseal(bytes, digest, "EPOCH"));
  Reader in(content);
  if (in.U32() != kEpochMagic || in.U8() != kFormat) return Corrupt("EPOCH: wrong magic or format");
  EpochRecord record;
  record.pool = in.Array<16>();
  record.member = in.Array<16>();
  record.serial = ReadShortText(in);
  record.epoch.counter = in.U64();
  record.epoch.nonce = in.U64();
  record.lsn = in.U64();
  record.sequence = in.U64();
  record.primary = in.Bool();
  HSM_RETURN_IF_ERROR(in.Finish("EPOCH"));
  return record;
}

}  // namespace hsmops::store
