#include "libhsmops/base/wire.h"

#include <limits>

namespace hsmops::base {

void Writer::Big(std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out_.Append(static_cast<std::uint8_t>(value >> shift));
  }
}

void Writer::String(ByteView bytes) {
  HSM_CHECK(bytes.size() <= std::numeric_limits<std::uint32_t>::max());
  U32(static_cast<std::uint32_t>(bytes.size()));
  Raw(bytes);
}

ByteView Reader::Raw(std::size_t size) {
  if (size > left_.size()) {
    Fail();
    return {};
  }
  const ByteView taken = left_.first(size);
  left_ = left_.subspan(size);
  return taken;
}

std::uint64_t Reader::Big(std::size_t bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : Raw(bytes)) value = value << 8 | byte;
  return value;
}

bool Reader::Bool() {
  const std::uint8_t value = U8();
  if (value > 1) Fail();
  return value == 1;
}

ByteView Reader::String() { return Raw(U32()); }

std::string Reader::Text() {
  const ByteView bytes = String();
  return {bytes.begin(), bytes.end()};
}

std::uint32_t Reader::Count(std::size_t least) {
  const std::uint32_t count = U32();
  if (least != 0 && count > left_.size() / least) {
    Fail();
    return 0;
  }
  return count;
}

Result<void> Reader::Finish(std::string_view what) const {
  if (!ok_) return Error(ErrorCode::kCorrupt, std::string(what) + " is cut short or malformed");
  if (!left_.empty())
    return Error(ErrorCode::kCorrupt, std::string(what) + " has bytes after its end");
  return {};
}

}  // namespace hsmops::base
