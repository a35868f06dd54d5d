// Writer and Reader: the bounded binary encoding of records on tokens and of messages to agents.
//
// Integers are big-endian and of fixed size; byte strings carry a 32-bit length before them. A
// Writer's buffer wipes itself, since what it holds may be secret. A Reader never reads past its
// end and never allocates more than its input holds: outside bytes cannot break it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/result.h"

namespace hsmops::base {

class Writer {
 public:
  void U8(std::uint8_t value) { out_.Append(value); }
  void U16(std::uint16_t value) { Big(value, 2); }
  void U32(std::uint32_t value) { Big(value, 4); }
  void U64(std::uint64_t value) { Big(value, 8); }
  void Bool(bool value) { U8(value ? 1 : 0); }
  void Raw(ByteView bytes) { out_.Append(bytes); }
  void String(ByteView bytes);  // at most 4 GiB - 1, checked
  void String(std::string_view text) { String(AsBytes(text)); }

  std::size_t size() const { return out_.size(); }
  ByteView view() const { return out_.view(); }
  SecretBytes Take() && { return std::move(out_); }

 private:
  void Big(std::uint64_t value, int bytes);
  SecretBytes out_;
};

// After the first shortfall every read gives zeros and ok() is false: check once, at the end.
class Reader {
 public:
  explicit Reader(ByteView bytes) : left_(bytes) {}

  std::uint8_t U8() { return static_cast<std::uint8_t>(Big(1)); }
  std::uint16_t U16() { return static_cast<std::uint16_t>(Big(2)); }
  std::uint32_t U32() { return static_cast<std::uint32_t>(Big(4)); }
  std::uint64_t U64() { return Big(8); }
  bool Bool();  // anything but 0 and 1 is a failure
  ByteView Raw(std::size_t size);
  ByteView String();
  std::string Text();
  template <std::size_t N>
  std::array<std::uint8_t, N> Array() {
    std::array<std::uint8_t, N> out{};
    const ByteView bytes = Raw(N);
    if (bytes.size() == N) std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
  }
  // A count of things that take at least `least` bytes each; larger than what is left fails.
  std::uint32_t Count(std::size_t least);

  bool ok() const { return ok_; }
  void Fail() {
    ok_ = false;
    left_ = {};
  }
  std::size_t left() const { return left_.size(); }
  // kCorrupt unless everything was read and nothing was missing.
  Result<void> Finish(std::string_view what) const;

 private:
  std::uint64_t Big(std::size_t bytes);
  ByteView left_;
  bool ok_ = true;
};

}  // namespace hsmops::base
