#include "libhsmops/token/uri.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"

namespace hsmops::token {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::size_t kMaxUriBytes = 4096;
constexpr std::string_view kScheme = "pkcs11:";

Error Wrong(std::string message) {
  return {ErrorCode::kInvalid, "pkcs11 URI: " + std::move(message)};
}

// RFC 3986, 2.1.
Result<std::string> Unescape(std::string_view text, std::string_view attribute) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* first = text.data() + i + 1;
    if (i + 2 >= text.size()) {
      return Wrong(fmt::format("{} ends within a percent escape", attribute));
    }
    const auto [end, error] = std::from_chars(first, first + 2, value, 16);
    if (error != std::errc() || end != first + 2) {
      return Wrong(fmt::format("{} has a malformed percent escape", attribute));
    }
    out += static_cast<char>(value);
    i += 2;
  }
  if (out.find('\0') != std::string::npos)
    return Wrong(fmt::format("{} holds a NUL byte", attribute));
  return out;
}

// Everything but the characters that RFC 7512 (2.3) lets stand in both path and query.
std::string Escape(std::string_view text) { return base::PercentEncoded(text, "-._~/:=@+"); }

struct Pair {
  std::string_view name;
  std::string value;
};

template <typename T>
Result<void> Once(std::optional<T>& field, const Pair& a, T value) {
  if (field.has_value()) return Wrong(fmt::format("{} stands twice", a.name));
  field = std::move(value);
  return {};
}

Result<void> Once(std::string& field, const Pair& a) {
  if (!field.empty()) return Wrong(fmt::format("{} stands twice", a.name));
  if (a.value.empty()) return Wrong(fmt::format("{} is empty", a.name));
  field = a.value;
  return {};
}

Result<void> TakePath(Uri& uri, const Pair& a) {
  if (a.name == "token") return Once(uri.token, a, a.value);
  if (a.name == "serial") return Once(uri.serial, a, a.value);
  if (a.name == "manufacturer") return Once(uri.manufacturer, a, a.value);
  if (a.name == "model") return Once(uri.model, a, a.value);
  if (a.name == "slot-id") {
    std::uint64_t id = 0;
    const char* last = a.value.data() + a.value.size();
    const auto [end, error] = std::from_chars(a.value.data(), last, id);
    if (error != std::errc() || end != last) return Wrong("slot-id is not a number");
    return Once(uri.slot_id, a, id);
  }
  return Wrong(
      fmt::format("attribute \"{}\" is not one of token, serial, manufacturer, model, slot-id",
                  base::Printable(a.name)));
}

Result<void> TakeAbsolute(std::string& field, const Pair& a, std::string_view value) {
  if (!value.starts_with('/')) return Wrong(fmt::format("{} must be an absolute path", a.name));
  return Once(field, {a.name, std::string(value)});
}

Result<void> TakeQuery(Uri& uri, const Pair& a) {
  if (a.name == "module-path") return TakeAbsolute(uri.module_path, a, a.value);
  if (a.name == "x-softhsm-conf") return TakeAbsolute(uri.softhsm_conf, a, a.value);
  if (a.name == "x-p11-kit-server") return Once(uri.p11_kit_server, a);
  if (a.name == "x-profile") {
    if (a.value != "generic") return Wrong("x-profile can only be generic");
    return Once(uri.profile, a);
  }
  if (a.name == "pin-source") {
    std::string_view value = a.value;
    if (value.starts_with('|'))
      return Wrong("pin-source must not be a command; use pin-source=file:/path");
    if (value.starts_with("file:")) {
      value.remove_prefix(5);
      if (value.starts_with("//")) value.remove_prefix(2);
    }
    return TakeAbsolute(uri.pin_path, a, value);
  }
  if (a.name == "pin-value") {
    return Wrong("pin-value would put the PIN where others can read it; use pin-source=file:/path");
  }
  return Wrong(
      fmt::format("query attribute \"{}\" is not one of module-path, pin-source, x-softhsm-conf, "
                  "x-p11-kit-server, x-profile",
                  base::Printable(a.name)));
}

Result<void> TakeAll(Uri& uri, std::string_view part, char separator,
                     Result<void> (*take)(Uri&, const Pair&)) {
  while (!part.empty()) {
    const std::size_t end = std::min(part.find(separator), part.size());
    const std::string_view piece = part.substr(0, end);
    part.remove_prefix(std::min(end + 1, part.size()));
    const std::size_t equals = piece.find('=');
    // The text after the name is not repeated: it may be a PIN.
    if (equals == std::string_view::npos) return Wrong("an attribute has no \"=\"");
    const std::string_view name = piece.substr(0, equals);
    HSM_TRY(std::string value, Unescape(piece.substr(equals + 1), base::Printable(name)));
    HSM_RETURN_IF_ERROR(take(uri, {name, std::move(value)}));
  }
  return {};
}

}  // namespace

Result<Uri> Uri::Parse(std::string_view text) {
  if (text.size() > kMaxUriBytes) return Wrong(fmt::format("longer than {} bytes", kMaxUriBytes));
  if (!text.starts_with(kScheme)) return Wrong("does not begin with \"pkcs11:\"");
  text.remove_prefix(kScheme.size());
  const std::size_t mark = text.find('?');
  Uri uri;
  HSM_RETURN_IF_ERROR(TakeAll(uri, text.substr(0, mark), ';', TakePath));
  if (mark != std::string_view::npos)
    HSM_RETURN_IF_ERROR(TakeAll(uri, text.substr(mark + 1), '&', TakeQuery));
  if (uri.module_path.empty())
    return Wrong("module-path is missing: add ?module-path=/path/to/module.so");
  if (!uri.token && !uri.serial && !uri.slot_id)
    return Wrong("names no token: add token=, serial= or slot-id=");
  return uri;
}

std::string Uri::ToString() const {
  std::string out(kScheme);
  const auto path = [&](std::string_view name, const std::optional<std::string>& value) {
    if (!value) return;
    if (out.size() > kScheme.size()) out += ';';
    out += fmt::format("{}={}", name, Escape(*value));
  };
  path("token", token);
  path("serial", serial);
  path("manufacturer", manufacturer);
  path("model", model);
  path("slot-id", slot_id ? std::optional(std::to_string(*slot_id)) : std::nullopt);
  out += "?module-path=" + Escape(module_path);
  // After "file:" two slashes would begin a host's name (RFC 8089, 2).
  const std::string_view file = pin_path.starts_with("//") ? "file://" : "file:";
  if (!pin_path.empty()) out += fmt::format("&pin-source={}{}", file, Escape(pin_path));
  if (!softhsm_conf.empty()) out += "&x-softhsm-conf=" + Escape(softhsm_conf);
  if (!p11_kit_server.empty()) out += "&x-p11-kit-server=" + Escape(p11_kit_server);
  if (!profile.empty()) out += "&x-profile=" + Escape(profile);
  return out;
}

}  // namespace hsmops::token
