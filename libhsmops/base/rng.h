// Rng: chance as a seam. SystemRng for keys, salts and nonces; SeededRng for tests, which replays.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string>

namespace hsmops::base {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void Fill(std::span<std::uint8_t> out) = 0;
  std::uint64_t U64();
  // Uniform in [0, bound); bound > 0.
  std::uint64_t Below(std::uint64_t bound);
  template <std::size_t N>
  std::array<std::uint8_t, N> Array() {
    std::array<std::uint8_t, N> out;
    Fill(out);
    return out;
  }
};

class SystemRng : public Rng {
 public:
  void Fill(std::span<std::uint8_t> out) override;  // OpenSSL's RAND_bytes
};

class SeededRng : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : engine_(seed) {}
  void Fill(std::span<std::uint8_t> out) override;

 private:
  std::mt19937_64 engine_;
};

// A random (version 4) UUID, RFC 4122 text form.
std::string Uuid(Rng& rng);

}  // namespace hsmops::base
