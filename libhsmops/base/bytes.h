// Bytes, and SecretBytes: bytes that wipe themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hsmops::base {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// Overwrites memory in a way that the compiler may not leave out.
void Wipe(void* data, std::size_t size);

ByteView AsBytes(std::string_view text);

// An allocator that wipes what it gives back, so that a growing vector leaves no copies behind.
template <typename T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <typename U>
  WipingAllocator(const WipingAllocator<U>&) {}  // NOLINT: allocators convert
  T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* p, std::size_t n) {
    Wipe(p, n * sizeof(T));
    std::allocator<T>().deallocate(p, n);
  }
  bool operator==(const WipingAllocator&) const = default;
};

// Bytes of a secret: a value, a PIN, or a message that holds one.
//
// Move-only; a copy is asked for by name (Clone). Has no formatter and no stream operator: printing
// one does not compile. Not thread-safe, as a vector is not.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size) : bytes_(size) {}
  explicit SecretBytes(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
  static SecretBytes FromText(std::string_view text) { return SecretBytes(AsBytes(text)); }

  SecretBytes(SecretBytes&&) noexcept = default;
  SecretBytes& operator=(SecretBytes&&) noexcept = default;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  SecretBytes Clone() const { return SecretBytes(view()); }

  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  ByteView view() const { return {bytes_.data(), bytes_.size()}; }
  operator ByteView() const { return view(); }  // NOLINT: a view of a secret is still not printable

  void reserve(std::size_t size) { bytes_.reserve(size); }
  void resize(std::size_t size) { bytes_.resize(size); }
  void Append(ByteView more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
  void Append(std::uint8_t byte) { bytes_.push_back(byte); }

  // Constant time in the content; the lengths are not hidden.
  friend bool operator==(const SecretBytes& a, const SecretBytes& b);

 private:
  std::vector<std::uint8_t, WipingAllocator<std::uint8_t>> bytes_;
};

bool operator==(const SecretBytes& a, const SecretBytes& b);

// Constant time in the content.
bool Equal(ByteView a, ByteView b);

}  // namespace hsmops::base
