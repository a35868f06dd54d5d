#include "libhsmops/net/curl.h"

#include <fmt/format.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <regex>

#include "libhsmops/base/check.h"
#include "libhsmops/base/printable.h"

namespace hsmops::net {
namespace {

void WipeAndFree(void* memory) {
  if (memory == nullptr) return;
  base::Wipe(memory, malloc_usable_size(memory));
  std::free(memory);
}

void* WipingRealloc(void* memory, std::size_t size) {
  void* grown = std::malloc(size);
  if (grown == nullptr || memory == nullptr) return grown;
  std::memcpy(grown, memory, std::min(size, malloc_usable_size(memory)));
  WipeAndFree(memory);
  return grown;
}

}  // namespace

void InitialiseCurl() {
  // A process that ends has no use for OpenSSL's tidying up, which is a thirtieth of what a command
  // computes. Whoever initialised OpenSSL before has decided that.
  (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  static const CURLcode done = curl_global_init_mem(CURL_GLOBAL_DEFAULT, std::malloc, WipeAndFree,
                                                    WipingRealloc, strdup, std::calloc);
  HSM_CHECK(done == CURLE_OK);
}

std::string CurlErrorText(CURLcode code, const char* buffer) {
  static const std::regex took(" after [0-9]+ (ms|milliseconds)");
  const std::string text = buffer[0] != '\0' ? buffer : curl_easy_strerror(code);
  return base::Printable(std::regex_replace(text, took, ""));
}

void CurlHeaders::AddSecret(const char* name, const base::SecretBytes& value) {
  base::SecretBytes line = base::SecretBytes::FromText(std::string(name) + ": ");
  line.Append(value);
  line.Append(std::uint8_t{0});
  list_ = curl_slist_append(list_, reinterpret_cast<const char*>(line.data()));
}

base::Result<void> CurlOptions::Finish() const {
  if (first_ == CURLE_OK) return {};
  return base::Error(
      base::ErrorCode::kInternal,
      fmt::format("libcurl, which must be built with OpenSSL: {}", curl_easy_strerror(first_)));
}

}  // namespace hsmops::net
