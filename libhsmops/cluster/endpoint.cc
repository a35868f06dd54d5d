#include "libhsmops/cluster/endpoint.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>

#include "libhsmops/base/error.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::string_view kPkcs11Scheme = "pkcs11:";
constexpr std::string_view kHttpsScheme = "https://";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || HexDigit(text[i + 1]) < 0 || HexDigit(text[i + 2]) < 0)
      return std::nullopt;
    out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
    i += 2;
  }
  return out;
}

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool IsPlainAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

Result<void> CheckAttribute(std::string_view attribute) {
  const std::size_t equals = attribute.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Error(ErrorCode::kInvalid, "is a pkcs11: URI with an attribute that is not name=value");
  }
  const auto name = PercentDecoded(attribute.substr(0, equals));
  const auto value = PercentDecoded(attribute.substr(equals + 1));
  if (!name || !value) {
    return Error(ErrorCode::kInvalid,
                 "is a pkcs11: URI with a '%' that is not followed by two hex digits");
  }
  if (Lower(*name) == "pin-value") {
    return Error(ErrorCode::kInvalid,
                 "holds a PIN (pin-value); use pinSecret or pin-source=file:/path instead");
  }
  if (Lower(*name) == "pin-source") {
    const std::size_t first = value->find_first_not_of(" \t\r\n");
    if (first != std::string::npos && (*value)[first] == '|') {
      return Error(
          ErrorCode::kInvalid,
          "asks for a command to be run (pin-source=|…); use pin-source=file:/path instead");
    }
  }
  return {};
}

Result<void> CheckHttpsEndpoint(std::string_view endpoint) {
  std::string_view host = endpoint.substr(kHttpsScheme.size());
  const Error wrong(ErrorCode::kInvalid, "is not https://host[:port] without user, path or query");
  if (host.empty() || host.find_first_of("/?#@\\") != std::string_view::npos) return wrong;
  std::string_view port;
  if (host.front() == '[') {  // an IPv6 address
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos || close == 1) return wrong;
    port = host.substr(close + 1);
    if (!port.empty() && port.front() != ':') return wrong;
  } else {
    const std::size_t colon = host.find(':');
    if (colon == 0) return wrong;
    if (colon != std::string_view::npos) port = host.substr(colon);
  }
  if (port.empty()) return {};
  port.remove_prefix(1);
  int number = 0;
  if (port.empty() || port.size() > 5) return wrong;
  for (const char c : port) {
    if (c < '0' || c > '9') return wrong;
    number = number * 10 + (c - '0');
  }
  if (number < 1 || number > 65535) return wrong;
  return {};
}

}  // namespace

Result<void> CheckPkcs11Uri(std::string_view uri) {
  if (!uri.starts_with(kPkcs11Scheme))
    return Error(ErrorCode::kInvalid, "does not begin with pkcs11:");
  if (uri.size() > kMaxEndpointBytes)
    return Error(ErrorCode::kInvalid, "is longer than 2048 bytes");
  if (!IsPlainAscii(uri))
    return Error(ErrorCode::kInvalid, "holds a character that needs percent-encoding");
  std::string_view rest = uri.substr(kPkcs11Scheme.size());
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of(";?&"), rest.size());
    if (end > 0) HSM_RETURN_IF_ERROR(CheckAttribute(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

Result<void> CheckEndpoint(std::string_view endpoint) {
  if (endpoint.starts_with(kPkcs11Scheme)) return CheckPkcs11Uri(endpoint);
  if (!endpoint.starts_with(kHttpsScheme)) {
    return Error(ErrorCode::kInvalid, "is neither a pkcs11: URI nor https://host[:port]");
  }
  if (endpoint.size() > kMaxEndpointBytes)
    return Error(ErrorCode::kInvalid, "is longer than 2048 bytes");
  if (!IsPlainAscii(endpoint))
    return Error(ErrorCode::kInvalid, "holds a space or a character that is not ASCII");
  return CheckHttpsEndpoint(endpoint);
}

}  // namespace hsmops::cluster
