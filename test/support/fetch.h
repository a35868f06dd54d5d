// Fetch: one request over plain HTTP, as kubelet or Prometheus would make it.
#pragma once

#include <string>

namespace hsmops::test {

struct Fetched {
  long status = 0;  // 0: there was no answer
  std::string body;
};

Fetched Fetch(const std::string& url, const char* method = "GET");

}  // namespace hsmops::test
