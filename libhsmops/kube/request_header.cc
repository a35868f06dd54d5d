#include "libhsmops/kube/request_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/kube/api_status.h"
#include "libhsmops/kube/json_fields.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

namespace {

constexpr const char* kConfigMap = "extension-apiserver-authentication";
constexpr const char* kSystem = "kube-system";

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// A field of the ConfigMap that is a list is JSON in a string.
Result<std::vector<std::string>> ListAt(const json& data, const char* key, bool lower) {
  std::vector<std::string> list;
  const std::string text = TextAt(data, key);
  if (text.empty()) return list;
  const json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_array()) return Error(ErrorCode::kCorrupt, fmt::format("{} is no list", key));
  for (const json& item : parsed) {
    if (!item.is_string())
      return Error(ErrorCode::kCorrupt, fmt::format("{} holds what is no text", key));
    list.push_back(lower ? Lower(item.get<std::string>()) : item.get<std::string>());
  }
  return list;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Of an extra's key, which is in lower case by now; what is no escape stays as it is.
std::string Unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) {
      plain += text[i];
      continue;
    }
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

}  // namespace

Result<RequestHeader> RequestHeader::FromConfigMap(const json& document) {
  const json data = ObjectAt(document, "data");
  RequestHeader header;
  header.client_ca = TextAt(data, "requestheader-client-ca-file");
  HSM_TRY(header.allowed_names, ListAt(data, "requestheader-allowed-names", false));
  HSM_TRY(header.username_headers, ListAt(data, "requestheader-username-headers", true));
  HSM_TRY(header.uid_headers, ListAt(data, "requestheader-uid-headers", true));
  HSM_TRY(header.group_headers, ListAt(data, "requestheader-group-headers", true));
  HSM_TRY(header.extra_prefixes, ListAt(data, "requestheader-extra-headers-prefix", true));
  if (!header.client_ca.empty() && !header.username_headers.empty()) return header;
  return Error(ErrorCode::kCorrupt,
               fmt::format("{}/{} names no authority of front proxies or no header for a user: "
                           "the API server wants its --requestheader-* flags",
                           kSystem, kConfigMap));
}

Result<RequestHeader> ReadRequestHeader(RestClient& client, base::TimePoint deadline) {
  RestRequest request;
  request.path = fmt::format("/api/v1/namespaces/{}/configmaps/{}", kSystem, kConfigMap);
  request.deadline = deadline;
  HSM_TRY(const RestAnswer answer, client.Call(std::move(request)));
  if (!IsSuccess(answer.status)) return ErrorOf(answer, {"get", "configmaps", kSystem, kConfigMap});
  return RequestHeader::FromConfigMap(ParseBody(answer.body));
}

Result<RequestUser> UserOf(const RequestHeader& header,
                           const std::vector<std::pair<std::string, std::string>>& fields) {
  for (const auto& [field, value] : fields) {
    if (!base::IsUtf8(value)) return Error(ErrorCode::kAuthFailed, "a header that is no text");
  }
  RequestUser user;
  // The first header of the list that says something.
  const auto first = [&](const std::vector<std::string>& names, std::string& into) {
    for (const std::string& name : names) {
      for (const auto& [field, value] : fields) {
        if (into.empty() && field == name) into = value;
      }
    }
  };
  first(header.username_headers, user.name);
  first(header.uid_headers, user.uid);
  if (user.name.empty())
    return Error(ErrorCode::kAuthFailed, "the request does not say for whom it is");
  for (const auto& [field, value] : fields) {
    if (std::ranges::find(header.group_headers, field) != header.group_headers.end())
      user.groups.push_back(value);
    for (const std::string& prefix : header.extra_prefixes) {
      if (field.starts_with(prefix))
        user.extra[Unescaped(std::string_view(field).substr(prefix.size()))].push_back(value);
    }
  }
  for (const auto& [key, values] : user.extra) {
    if (!base::IsUtf8(key)) return Error(ErrorCode::kAuthFailed, "an extra that is no text");
  }
  return user;
}

}  // namespace hsmops::kube
