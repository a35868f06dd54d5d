// What everything of ours that speaks through libcurl shares: its memory and its options.
#pragma once

#include <curl/curl.h>

#include <string>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/result.h"

namespace hsmops::net {

// Before any other call of libcurl, once a process, from any thread: it keeps pieces of bodies and
// headers in buffers that it frees without wiping, so its memory is wiped when it is freed.
void InitialiseCurl();

// Sets options of a handle; the first that fails is remembered.
class CurlOptions {
 public:
  explicit CurlOptions(CURL* handle) : handle_(handle) {}
  template <typename T>
  CurlOptions& Set(CURLoption option, T value) {
    if (first_ == CURLE_OK) first_ = curl_easy_setopt(handle_, option, value);
    return *this;
  }
  // kInternal: libcurl was built without what is needed.
  base::Result<void> Finish() const;

 private:
  CURL* handle_;
  CURLcode first_ = CURLE_OK;
};

// What libcurl says of an error, fit for a terminal and the same each time: without how long it
// took. `buffer` is its CURLOPT_ERRORBUFFER.
std::string CurlErrorText(CURLcode code, const char* buffer);

// A request's header lines, which must outlive it.
class CurlHeaders {
 public:
  CurlHeaders() = default;
  ~CurlHeaders() { curl_slist_free_all(list_); }
  CurlHeaders(const CurlHeaders&) = delete;
  CurlHeaders& operator=(const CurlHeaders&) = delete;
  // "Name: value"; "Name:" takes out what libcurl would say by itself, "Name;" is an empty one.
  void Add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  void AddSecret(const char* name, const base::SecretBytes& value);
  curl_slist* get() { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace hsmops::net
