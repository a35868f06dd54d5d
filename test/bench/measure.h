// What both suites measure with: rows with a target, raw PKCS#11 beside, tokens in memory.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/executor.h"
#include "libhsmops/base/rng.h"

namespace hsmops::bench {

using Seconds = std::chrono::duration<double>;

extern const std::string kFolder;
inline base::SystemClock wall;
inline base::SystemRng rng;
inline base::ThreadExecutor executor;

double Time(const std::function<void()>& work);

// `limit`: what plain calls cost, in the same run; 0: there is nothing to compare with.
void Row(const std::string& work, double ours, double limit, const std::string& target, bool met);
// The same of a rate: so many a second.
void RateRow(const std::string& work, double ours, double limit, const std::string& target,
             bool met);
// The same of megabytes.
void SizeRow(const std::string& work, double ours, double limit, const std::string& target,
             bool met);
// Megabytes, ours above those of the plain calls.
void MemoryRow(const std::string& work, double ours, double limit, double more);
// Whether rows have targets; what it was before. The careful profile is printed beside and has
// none.
bool Count(bool counts);
int Misses();

[[noreturn]] void Give(const std::string& what);

template <typename T>
T Must(base::Result<T> result, const char* what) {
  if (!result.ok()) Give(std::string(what) + ": " + result.error().message());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// One token on memory-backed storage.
struct Token {
  std::string folder;
  std::string uri;
};
Token MakeToken(const std::string& name);

struct Raw {
  double seconds = 0;
  double megabytes = 0;
};
// Plain PKCS#11 calls in a process of their own: "create", "read", "one".
Raw RunRaw(const Token& token, const std::string& mode, int count, std::size_t bytes);

}  // namespace hsmops::bench
